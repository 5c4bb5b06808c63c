"""Results of stages that the report has never heard of."""

from pathlib import Path
from typing import Any

from pydantic import Field

from prmkit.evaluate.rethinking import KindDifferences, KindScores, RethinkingResult, RightShares
from prmkit.grade.config import GradingConfig
from prmkit.report.blocks import Heading, Section, Table
from prmkit.report.read import Run, read_runs
from prmkit.report.sections.others import others
from prmkit.run.results import Figures, Result
from prmkit.search.result import SearchResult
from prmkit.session.ledger import Ledger
from prmkit.stats import Estimate
from tests.report.runs import UNKNOWN, comparison_run, estimate, evaluation_of
from tests.report.sections.found import blocks, table


class Part(Figures):
    share: Estimate
    steps_read: int


class Nested(Figures):
    part: Part
    parts: list[Part]


class Novel(Result):
    kind = "novel"

    accuracy: Estimate
    unknown: float = UNKNOWN
    whole: bool = True
    nothing: int | None = None
    seconds: float = 2.5
    nested: Nested
    ledger: Ledger = Ledger()
    rows: list[Part] = Field([])
    named: dict[str, Part] = Field({})
    words: list[str] = Field([])
    deep: dict[str, dict[str, list[int]]] = Field({})


PART = Part(share=estimate(0.25, 0.125), steps_read=3)


def novel(**values: Any) -> Novel:
    return Novel(accuracy=estimate(0.5, 0.25), nested=Nested(part=PART, parts=[]), **values)


def run(result: Result, name: str = "new") -> Run:
    return Run(path=Path(name), name=name, stage="novel", record={"recipe": {}}, result=result)


def section(result: Result) -> Section:
    return others([run(result)], known=())


def test_numbers_words_and_estimates_stand_by_name_and_those_of_parts_under_theirs() -> None:
    found = section(novel())
    assert blocks(found, Heading) == [Heading("new")]
    assert table(found).rows == [
        ("accuracy", "0.500 ± 0.250"),
        ("unknown", None),
        ("whole", "yes"),
        ("seconds", "2.5"),
        ("nested: part: share", "0.250 ± 0.125"),
        ("nested: part: steps read", 3),
    ]
    assert len(blocks(found, Table)) == 1


def test_lists_of_flat_records_are_tables_by_name() -> None:
    nested = Nested(part=PART, parts=[PART])
    found = section(
        Novel(accuracy=estimate(0.5), nested=nested, rows=[PART, PART], named={"a": PART}, words=["x", "y"])
    )
    assert table(found, "rows").columns == ["share", "steps read"]
    assert table(found, "rows").rows == [["0.250 ± 0.125", 3]] * 2
    assert table(found, "named").columns == ["named", "share", "steps read"]
    assert table(found, "named").rows == [["a", "0.250 ± 0.125", 3]]
    assert table(found, "words").rows == [["x"], ["y"]]
    assert table(found, "nested: parts").rows == [["0.250 ± 0.125", 3]]


def test_what_is_no_table_is_left_to_the_file() -> None:
    assert len(blocks(section(novel(deep={"a": {"b": [1]}})), Table)) == 1


def test_a_long_list_is_cut_and_says_so() -> None:
    found = section(novel(words=[str(number) for number in range(1234)]))
    cut = table(found, "words (the first 200 of 1,234)")
    assert (len(cut.rows), cut.rows[-1]) == (200, ["199"])


def test_only_results_that_nobody_else_shows_are_shown() -> None:
    runs = [run(novel(), "known"), run(RETHINKING, "unknown")]
    assert blocks(others(runs, known=(Novel,)), Heading) == [Heading("unknown")]
    assert others(runs, known=(Novel, RethinkingResult)).blocks == []


RETHINKING = RethinkingResult(
    scores=KindScores(rethinking=estimate(0.375), before=None, other=estimate(0.5)),
    differences=KindDifferences(before=None, other=estimate(-0.125)),
    right=RightShares(with_=estimate(0.25), without=None),
    example=None,
    grading=GradingConfig(),
)


def test_an_evaluation_within_a_run_or_a_strategy_is_shown_too(tmp_path: Path) -> None:
    folder = comparison_run(tmp_path / "both", {"beam": {"p": True}})
    for searched in (folder, folder / "beam"):
        evaluation_of(searched, RETHINKING, stage="evaluate-rethinking", folder="rethinking")
    found = others(read_runs([folder]), known=(SearchResult,))
    headings = blocks(found, Heading)
    assert headings == [Heading("both"), Heading("both/rethinking"), Heading("beam/rethinking")]
    assert blocks(found, Table)[-1].rows == [
        ("scores: rethinking", "0.375 ± 0.010"),
        ("scores: other", "0.500 ± 0.010"),
        ("differences: rethinking - other", "-0.125 ± 0.010"),
        ("right: with", "0.250 ± 0.010"),
    ]
