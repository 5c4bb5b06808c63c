import math
from pathlib import Path

from prmkit.report.blocks import Section, Table
from prmkit.report.read import read_runs
from prmkit.report.sections.similarity import similarity
from prmkit.similarity.statistics.result import (
    BaselineScore,
    Discrepancy,
    LayerProfile,
    SelectionTest,
    SetDifference,
    SetScore,
    TextFacts,
)
from tests.report.runs import changed, estimate, similarity_run, train_run
from tests.report.sections.found import blocks, figure, table


def section(*folders: Path) -> Section:
    return similarity(read_runs(folders))


def score(first: str, second: str, mean: float, stderr: float = 0.00125) -> SetScore:
    return SetScore(
        first=first, second=second, mean=mean, stderr=stderr, sum=12.5, chance=0.08, centred=0.2, pairs=4000
    )


def test_table_2_stands_in_per_cent_and_as_a_symmetric_matrix(tmp_path: Path) -> None:
    rows = [
        score("math", "math", 0.75),
        score("math", "code", 0.3125, math.nan),
        changed(score("code", "code", 0.5), chance=None),
    ]
    found = section(similarity_run(tmp_path / "m", table=rows))
    assert table(found, "Mean cosine of each pair of sets").rows == [
        ("math and math", "75.00 ± 0.12", "12.5", 4000, "8.00"),
        ("math and code", "31.25", "12.5", 4000, "8.00"),
        ("code and code", "50.00 ± 0.12", "12.5", 4000, None),
    ]
    drawn = figure(found, "Mean cosine, m")
    assert (drawn.rows, drawn.columns) == (["math", "code"], ["math", "code"])
    assert drawn.matrix == [[75.0, 31.25], [31.25, 50.0]]
    assert len(blocks(found, Table)) == 1


def test_a_pair_that_was_not_compared_is_a_gap(tmp_path: Path) -> None:
    found = section(similarity_run(tmp_path / "m", table=[score("math", "code", 0.25)]))
    assert figure(found, "Mean cosine, m").matrix == [[None, 25.0], [25.0, None]]


def test_layers_are_drawn_in_per_cent_where_there_are_several(tmp_path: Path) -> None:
    layers = [LayerProfile(layer=layer, means={"math - code": 0.25 * layer}) for layer in (1, 2)]
    (series,) = figure(section(similarity_run(tmp_path / "m", profile=layers)), "Similarity by layer, m").series
    assert (series.name, series.x, series.y) == ("math - code", [1, 2], [25.0, 50.0])
    titles = [block.title for block in section(similarity_run(tmp_path / "one", profile=layers[:1])).blocks[1:]]  # type: ignore[union-attr]
    assert titles == ["Mean cosine, one", "Mean cosine of each pair of sets"]


def test_what_checks_the_means_stands_in_per_cent_too(tmp_path: Path) -> None:
    known = SetDifference(
        pair="prm - code", less="math - code", difference=-0.0125, stderr=0.005, low=-0.0223, high=-0.0027, problems=60
    )
    unknown = changed(known, stderr=math.nan, low=math.nan, high=math.nan)
    tested = SelectionTest(
        first="prm",
        second="code",
        strata="length",
        observed=0.31,
        expected=0.3,
        low=0.29,
        high=0.32,
        p_value=0.0001,
        draws=10_000,
        problems=60,
        free=55,
    )
    baseline = BaselineScore(baseline="n-grams", first="prm", second="code", mean=0.2, stderr=0.01)
    found = section(
        similarity_run(
            tmp_path / "m",
            differences=[known, unknown],
            random_selection=[tested],
            baselines=[baseline],
            mmd=[Discrepancy(kernel="patterns", first="prm", second="code", squared=0.84)],
        )
    )
    assert table(found, "Chosen sets less the sets they were chosen from").rows == [
        ("prm - code", "math - code", "-1.25 ± 0.50", "-2.23 to -0.27", 60),
        ("prm - code", "math - code", "-1.25", None, 60),
    ]
    assert table(found, "Against random selection").rows == [
        ("prm and code", "length", "31.00", "30.00", "29.00 to 32.00", "0.0001", None, 60, 55),
    ]
    assert table(found, "Baselines").rows == [("n-grams", "prm and code", "20.00 ± 1.00")]
    assert table(found, "Squared maximum mean discrepancy").rows == [["patterns", "prm", "code", "0.84"]]


def test_the_texts_have_the_names_that_the_result_gives_them(tmp_path: Path) -> None:
    facts = TextFacts(
        set="math",
        responses=9,
        tokens=estimate(68.5, 1.5),
        steps=estimate(5.0),
        right=None,
        rethinks=estimate(0.0625, 0.03125),
        **{"markers per 100 tokens": estimate(0.25, 0.125)},  # type: ignore[arg-type]
    )
    shown = table(section(similarity_run(tmp_path / "m", texts=[facts])), "The texts themselves")
    assert shown.columns == ["set", "responses", "tokens", "steps", "right", "rethinks", "markers per 100 tokens"]
    row = ["math", 9, "68.500 ± 1.500", "5.000 ± 0.010", None, "0.062 ± 0.031", "0.250 ± 0.125"]
    assert shown.rows == [row]


def test_other_runs_have_no_similarity(tmp_path: Path) -> None:
    assert section(train_run(tmp_path / "t")).blocks == []
