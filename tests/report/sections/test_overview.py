import math
from pathlib import Path

from prmkit.annotate.result import AnnotationResult, PassCost, Read
from prmkit.evaluate.intake import BadRow, RowsRecord
from prmkit.evaluate.samples import FewerSamples
from prmkit.report.blocks import Card, Cards, Prose, Section
from prmkit.report.read import read_runs
from prmkit.report.sections.overview import overview, warnings
from prmkit.session.ledger import Ledger
from prmkit.world import ModelCost, WorldResult
from tests.report.runs import (
    UNKNOWN,
    comparison_run,
    estimate,
    evaluated,
    search_run,
    similarity_run,
    strategy_run,
    train_run,
    write_run,
)
from tests.report.sections.found import blocks, table


def section(*folders: Path) -> Section:
    return overview(read_runs(folders))


def test_the_headline_of_an_evaluated_search_is_the_choice_of_its_prm_or_its_vote(tmp_path: Path) -> None:
    scored = search_run(tmp_path / "s")
    selection = {name: found for name, found in evaluated().selection.items() if not name.startswith("prm")}
    unscored = search_run(tmp_path / "u", evaluation=evaluated(selection=selection, differences={}))
    note = "pass@1 70.0 ± 1.0, pass@4 70.0 ± 1.0"
    assert blocks(section(scored, unscored), Cards)[0].cards == [
        Card(name="s (synthetic-math): prm@4", value="70.0 ± 1.0 %", note=note),
        Card(name="u (synthetic-math): maj@4", value="50.0 ± 1.0 %", note=note),
    ]


def test_the_headline_of_other_runs_is_an_accuracy_or_an_auroc(tmp_path: Path) -> None:
    runs = [
        strategy_run(tmp_path / "beam", {"p": True, "q": False}, benchmark="math"),
        train_run(tmp_path / "t", labels=80_000, steps=1200),
        train_run(tmp_path / "one kind of label", auroc=math.nan),
        similarity_run(tmp_path / "m"),
    ]
    assert [(card.name, card.value, card.note) for card in blocks(section(*runs), Cards)[0].cards] == [
        ("beam (math): accuracy", "50.0 ± 1.0 %", ""),
        ("t: held-out AUROC", "0.910", "80,000 labelled steps, 1,200 updates"),
        ("one kind of label: held-out AUROC", "\u2013", "80 labelled steps, 40 updates"),
    ]


def test_findings_are_sentences_whatever_the_outcome(tmp_path: Path) -> None:
    run = search_run(tmp_path / "s", evaluation=evaluated(difference=-0.02))
    (said,) = blocks(section(run), Prose)
    assert list(said.lines) == [
        "s (synthetic-math): prm@4 70.0 ± 1.0 %, maj@4 50.0 ± 1.0 %. The paired difference is -2.0 ± 5.0 points: "
        "no difference beyond two standard errors.",
        "s (synthetic-math): prm@4 70.0 ± 1.0 %, pass@1 70.0 ± 1.0 %. The paired difference is -2.0 ± 5.0 points: "
        "no difference beyond two standard errors.",
        "s (synthetic-math): within one problem, the final score ranks a right solution above a wrong one with "
        "probability 0.876 ± 0.012 (AUC over 150 problems that have both).",
    ]


def test_an_auc_of_no_problem_is_not_told(tmp_path: Path) -> None:
    none = evaluated(within_problem_auc=estimate(UNKNOWN, UNKNOWN, 0), differences={})
    assert blocks(section(search_run(tmp_path / "s", evaluation=none)), Prose) == []


def test_every_run_has_a_row_also_one_of_a_stage_that_nobody_foresaw(tmp_path: Path) -> None:
    cost = ModelCost(parameters=1, tokens=2, flops=3)
    labelled = AnnotationResult(
        problems=3,
        trees=2,
        unlabelled=1,
        steps=5,
        labelled=4000,
        mean_label=0.5,
        seconds=1.5,
        passes={"labels": PassCost(rollouts=16, tokens=100)},
        ledger=Ledger(),
        read=Read(corpora=[], answered=0, unanswered=0),
    )
    estimators = {"annotators": [{"estimator": "monte-carlo"}, {"estimator": "judge"}]}
    runs = [
        comparison_run(tmp_path / "both", {"beam": {"p": True, "q": False}}),
        train_run(tmp_path / "t"),
        write_run(tmp_path / "a", "annotate", labelled, estimators),
        similarity_run(tmp_path / "m"),
        write_run(tmp_path / "w", "world", WorldResult(policy=cost, backbone=cost, seconds=0.5)),
    ]
    assert table(section(*runs)).rows == [
        ("beam", "search", "beam on b", "50.0 ± 1.0", 200, 8.6, "now"),
        ("t", "train", "tiny on trees.jsonl", None, None, 12.0, "now"),
        ("a", "annotate", "4,000 steps labelled by monte-carlo, judge", None, 3, 1.5, "now"),
        ("m", "similarity", "math, code", None, None, 1.0, "now"),
        ("w", "world", "", None, None, 0.5, "now"),
    ]


def test_problems_with_fewer_samples_than_others_are_a_warning(tmp_path: Path) -> None:
    fewer = FewerSamples(problems=3, of=200, fewest=1, most=4)
    (warning,) = warnings(read_runs([search_run(tmp_path / "s", evaluation=evaluated(fewer=fewer))]))
    assert isinstance(warning, Prose)
    assert list(warning.lines) == [
        "s (synthetic-math): 3 of 200 problems have fewer samples than 4, the fewest 1: "
        "a figure at k counts the problems that have k (n)."
    ]


def test_what_is_in_no_figure_is_a_warning(tmp_path: Path) -> None:
    rows = RowsRecord(
        read=9, quarantined=2, repeated=0, bad=[BadRow(where="f:3", error="no")], notes=["f:5: another problem"]
    )
    found = evaluated(rows=rows, unsupported={"p": "no gold", "q": "?"}, timeouts={"p": 2, "q": 1})
    (warning,) = warnings(read_runs([search_run(tmp_path / "s", evaluation=found)]))
    assert isinstance(warning, Prose)
    assert list(warning.lines) == [
        "s (synthetic-math): 2 of 9 rows are set aside in quarantine.jsonl: f:3: no.",
        "s (synthetic-math): f:5: another problem.",
        "s (synthetic-math): problems that cannot be judged and are in no figure: 2, first 'p': no gold.",
        "s (synthetic-math): pairs of answers that ran out of time and count as different: 3, first of problem 'p'.",
    ]


def test_what_is_missing_stands_in_the_warnings_of_whole_and_members(tmp_path: Path) -> None:
    run = comparison_run(tmp_path / "both", {"beam": {"a": True}, "greedy": {"a": False}}, named=["mcts"])
    (run / "beam" / "trees.jsonl").unlink()
    (warning,) = warnings(read_runs([run]))
    assert isinstance(warning, Prose)
    assert warning.warning
    assert warning.lines[0] == f"{run}/mcts holds no finished run: the strategy mcts is not shown."
    assert warning.lines[-1] == f"{run}/beam/trees.jsonl is missing: no tree of this run is shown."


def test_runs_of_different_versions_are_shown_with_a_warning(tmp_path: Path) -> None:
    old, same = (strategy_run(tmp_path / name, {"p": True}) for name in ("old", "same"))
    newer = strategy_run(tmp_path / "newer", {"p": True}, versions={"prmkit": "1", "torch": "2"})
    assert "different versions" not in str(section(old, same).blocks)
    lines = [line for block in warnings(read_runs([old, newer])) for line in getattr(block, "lines", ())]
    told = [line for line in lines if "versions" in line]
    assert told == ["The runs were made by different versions of prmkit: 0 (old); 1 (newer). They may differ by that."]


def test_why_searches_are_not_paired_is_a_warning_only_where_they_name_one_benchmark(tmp_path: Path) -> None:
    runs = [strategy_run(tmp_path / name, {name: True}) for name in ("a", "b")]
    line = "Not compared, for they have no problem in common: a (b); b (b)."
    assert Prose([line], warning=True) in section(*runs).blocks
    runs = [strategy_run(tmp_path / f"other-{name}", {name: True}, benchmark=f"of {name}") for name in ("a", "b")]
    line = "Not compared, for they have no problem in common: other-a (of a); other-b (of b)."
    assert Prose([line]) in section(*runs).blocks
