"""What a report reads of run folders, and what it refuses, each file by its name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest

from prmkit.errors import InputError
from prmkit.evaluate.anytime import AnytimeResult
from prmkit.evaluate.evaluation import EvaluationResult
from prmkit.evaluate.side_by_side import SideBySideResult
from prmkit.grade.config import GradingConfig
from prmkit.report.read import read_history, read_runs, result_type, single, with_members
from prmkit.run.folder import RunFolder
from prmkit.search.result import SearchResult
from prmkit.session.ledger import Ledger
from prmkit.train.result import TrainingResult
from tests.report.runs import (
    comparison_run,
    evaluated,
    evaluation_of,
    search_run,
    strategy_run,
    train_run,
    trained,
    write_run,
)

CURVES = AnytimeResult(curves={}, grading=GradingConfig())


def test_a_folder_of_runs_is_its_finished_runs_by_age(tmp_path: Path) -> None:
    demo = write_run(tmp_path / "demo", "demo", None)
    for name, created in (("a", "2026-02"), ("b", "2026-01")):
        record = strategy_run(demo / name, {"p": True}) / "run.yaml"
        record.write_text(record.read_text().replace("created: now", f"created: {created}"))
    write_run(demo / "unfinished", "search", None)
    assert [run.name for run in read_runs([demo])] == ["b", "a"]


def test_names_are_unlike_each_other(tmp_path: Path) -> None:
    runs = [comparison_run(tmp_path / name, {"beam": {"a": True}}) for name in ("first", "second")]
    alone = [strategy_run(tmp_path / place / "beam", {"a": True}) for place in ("x", "y")]
    assert [run.members[0].name for run in read_runs(runs)] == ["first/beam", "second/beam"]
    assert [run.name for run in read_runs(alone)] == ["beam", "beam (2)"]


def test_a_title_names_the_benchmark_where_the_folder_does_not(tmp_path: Path) -> None:
    runs = [strategy_run(tmp_path / name, {"p": True}, benchmark="math") for name in ("beam", "beam-on-math")]
    assert [run.title for run in read_runs(runs)] == ["beam (math)", "beam-on-math"]
    assert read_runs([train_run(tmp_path / "t")])[0].title == "t"


def test_a_comparison_is_one_run_with_members(tmp_path: Path) -> None:
    folder = comparison_run(tmp_path / "both", {"beam": {"a": True}, "greedy": {"a": False}}, named=["mcts"])
    (run,) = read_runs([folder])
    assert [member.name for member in run.members] == ["beam", "greedy"]
    assert [one.name for one in single([run])] == ["beam", "greedy"]
    assert [one.name for one in with_members([run])] == ["both", "beam", "greedy"]
    assert [member.missing for member in run.members] == [(), ()]
    assert run.missing == (
        f"{folder}/mcts holds no finished run: the strategy mcts is not shown.",
        f"Go on with: prmkit search {folder}/run.yaml --out {folder} --resume",
        "beam, greedy are not evaluated: there is no pass@k, and only chosen solutions are marked right or wrong. "
        f"Make each with: prmkit evaluate {folder}/STRATEGY",
        f"No curve over budgets. Make it with: prmkit evaluate anytime {folder}",
    )


def test_a_comparison_without_a_finished_strategy_is_refused(tmp_path: Path) -> None:
    run = comparison_run(tmp_path / "none", {}, named=["beam"])
    with pytest.raises(InputError, match="no strategy of this run is finished"):
        read_runs([run])


def test_evaluations_are_found_by_the_type_of_their_result(tmp_path: Path) -> None:
    folder = search_run(tmp_path / "s", evaluation=evaluated(problems=2))
    evaluation_of(folder, CURVES, stage="evaluate-anytime", folder="my own curves")
    write_run(folder / "killed", "evaluate-selection", None, {"path": str(folder)})
    (run,) = read_runs([folder])
    assert [each.name for each in run.evaluations] == ["evaluation", "my own curves"]
    assert run.found(AnytimeResult) == CURVES
    assert run.found(TrainingResult) is None
    assert isinstance(run.result, SearchResult)
    assert run.evaluation is not None
    assert run.evaluation.problems == 2


def test_an_evaluation_may_be_a_run_of_its_own(tmp_path: Path) -> None:
    (run,) = read_runs([evaluation_of(tmp_path / "file", evaluated(problems=3))])
    assert run.evaluation is run.result
    assert isinstance(run.result, EvaluationResult)
    assert run.missing == ()


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("trees.jsonl", "{run}/trees.jsonl is missing: no tree of this run is shown."),
        (
            "evaluation/metrics.json",
            "{run} is not evaluated: there is no pass@k, and only chosen solutions are marked right or wrong. "
            "Make it with: prmkit evaluate {run}",
        ),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, file: str, line: str) -> None:
    run = search_run(tmp_path / "s")
    assert read_runs([run])[0].missing == ()
    (run / file).unlink()
    assert read_runs([run])[0].missing == (line.format(run=run),)


def old_search(folder: Path) -> Path:
    """As a prmkit before version 1 of results left it: the same keys but no grading, no schema, evaluation.json."""
    run = strategy_run(folder, {"p": True})
    ledger = {key: value for key, value in Ledger(generations=8).as_dict().items() if key != "generator_flops"}
    metrics = {
        "benchmark": "b",
        "strategy": "best-of-n",
        "accuracy": {"value": 0.75, "stderr": None, "n": 1},
        "unanswered": 0,
        "exhausted": 0,
        "seconds": 5.0,
        "ledger": ledger | {"generator_flops": None},
    }
    (run / "metrics.json").write_bytes(orjson.dumps(metrics))
    (run / "evaluation.json").write_text('{"aggregation": "last", "problems": 1, "selection": {}}')
    return run


def test_a_search_of_an_older_version_is_read_and_its_evaluation_is_not_passed_over(tmp_path: Path) -> None:
    folder = old_search(tmp_path / "s")
    (run,) = read_runs([folder])
    assert isinstance(run.result, SearchResult)
    assert run.result.accuracy.value == 0.75
    assert run.result.grading == GradingConfig()
    assert run.evaluation is None
    assert run.missing == (
        f"An older prmkit wrote {folder}/evaluation.json, which is not read: there is no pass@k, and only chosen "
        f"solutions are marked right or wrong. Make it again: prmkit evaluate {folder}",
    )
    evaluation_of(folder, evaluated())
    assert read_runs([folder])[0].missing == ()  # it was made again


def test_strategies_side_by_side_of_an_older_version_are_read_in_fractions(tmp_path: Path) -> None:
    folder = comparison_run(tmp_path / "both", {"beam": {"p": True}, "dvts": {"p": False}})
    spent = {"generations": 4.0, "generated_tokens": 40.0, "total_tokens": 60.0, "flops": None, "seconds": 0.5}
    rows = [
        {"strategy": name, "accuracy, %": points, "stderr": None, "problems": 1, **spent, "exhausted": 0}
        for name, points in (("beam", 100.0), ("dvts", 25.0))
    ]
    difference = {"difference": "beam - dvts", "points": 75.0, "stderr": 12.5, "low": 50.0, "high": 100.0}
    metrics = {"benchmark": "b", "strategies": rows, "differences": [difference]}
    (folder / "metrics.json").write_bytes(orjson.dumps(metrics))
    (run,) = read_runs([folder])
    assert isinstance(run.result, SideBySideResult)
    assert [row.accuracy.value for row in run.result.strategies] == [1.0, 0.25]
    (found,) = run.result.differences
    assert (found.pair, found.difference.value, found.difference.stderr) == ("beam - dvts", 0.75, 0.125)
    assert (found.low, found.high) == (0.5, 1.0)


def test_what_an_older_version_found_of_strategies_side_by_side_is_named(tmp_path: Path) -> None:
    folder = comparison_run(tmp_path / "both", {"beam": {"p": True}})
    for name in ("anytime.json", "beam/evaluation.json", "beam/rethinking.json"):
        (folder / name).write_text("{}")
    (run,) = read_runs([folder])
    assert run.missing == (
        f"An older prmkit wrote {folder}/anytime.json, which is not read. "
        f"Make it again: prmkit evaluate anytime {folder}",
    )
    assert [line.partition(",")[0] for line in run.members[0].missing] == [
        f"An older prmkit wrote {folder}/beam/evaluation.json",
        f"An older prmkit wrote {folder}/beam/rethinking.json",
    ]


@pytest.mark.parametrize(
    ("recipe", "command"),
    [
        (
            {"prm": "my prm", "source": "processbench", "path": "math.json", "threshold": 0.0, "adapter": None},
            "prmkit evaluate steps math.json --prm 'my prm' --source processbench --threshold 0.0",
        ),
        (
            {"prm": "prm", "source": "rows", "path": "rows.json", "threshold": "other.json"},
            "prmkit evaluate steps rows.json --prm prm --source rows --choose-on other.json",
        ),
        (
            {"path": "samples.jsonl", "benchmark": "gsm8k", "grader": "qwen", "vote": "text"},
            "prmkit evaluate samples.jsonl --benchmark gsm8k --grader qwen --vote text",
        ),
    ],
)
def test_an_evaluation_by_an_older_version_is_refused_with_the_command_that_makes_it_again(
    tmp_path: Path, recipe: Mapping[str, Any], command: str
) -> None:
    run = write_run(tmp_path / "old", "evaluate", None, recipe)
    (run / "metrics.json").write_text('{"solutions": 400}')
    with pytest.raises(InputError) as error:
        read_runs([run])
    assert str(error.value) == (
        f"{run}: an older prmkit ran this (stage evaluate), and it is not read any more. "
        f"Make it again: {command} --out {run} --overwrite"
    )


@pytest.mark.parametrize(
    ("recipe", "kind"),
    [
        ({"stage": "train"}, TrainingResult),
        ({"stage": "search"}, SearchResult),
        ({"stage": "search", "compare": {"beam": {}}}, SideBySideResult),
    ],
)
def test_the_type_of_a_result_follows_from_the_recipe(recipe: dict[str, Any], kind: type) -> None:
    assert result_type(recipe, RunFolder(Path("run"))) is kind


@pytest.mark.parametrize("stage", ["dance", ["train"], None])
def test_an_unknown_stage_is_named_with_its_file(stage: object) -> None:
    with pytest.raises(InputError, match=r"^run/run\.yaml: unknown stage, got .*; expected one of annotate, "):
        result_type({"stage": stage}, RunFolder(Path("run")))


def test_folders_that_are_no_finished_run_are_named(tmp_path: Path) -> None:
    unfinished = write_run(tmp_path / "u", "search", None)
    for folders, message in (
        ([], "no run to report"),
        ([tmp_path / "gone"], "gone: not the folder of a finished run"),
        ([unfinished], "u: not the folder of a finished run"),
        ([write_run(tmp_path / "d", "dance", trained())], "unknown stage, got 'dance'"),
    ):
        with pytest.raises(InputError, match=message):
            read_runs(folders)


METRICS = orjson.dumps(trained().as_json()).decode()[1:]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('{"schema": "prmkit/training/1", "loss": 0.4, "aur', "not JSON .*It may be half written: make it again."),
        ("[]", r"not a JSON object, got \[\]; expected a training result"),
        ('{"schema": "prmkit/training/2",' + METRICS, "written by a newer prmkit, .*Upgrade prmkit."),
        ('{"schema": "lm-eval/training/1",' + METRICS, "the file of another tool, got 'lm-eval/training/1'"),
        ('{"schema": "prmkit/search/1",' + METRICS, "a result of another kind, got 'prmkit/search/1'"),
        ('{"schema": "prmkit/training/1",' + METRICS.replace('"auroc":0.91,', ""), "auroc: field required"),
        ('{"schema": "prmkit/training/1",' + METRICS.replace('"rows":10', '"rows":"ten"'), "rows: .*got 'ten'"),
        ("{" + METRICS.replace('"auroc":0.91,', ""), "auroc: field required. An older prmkit wrote it"),
    ],
)
def test_a_bad_result_is_named_in_one_line_with_its_fault(tmp_path: Path, content: str, fault: str) -> None:
    run = train_run(tmp_path / "t")
    (run / "metrics.json").write_text(content)
    with pytest.raises(InputError, match=rf"^{run}/metrics\.json: {fault}") as error:
        read_runs([run])
    assert "\n" not in str(error.value)


def test_a_bad_evaluation_is_named(tmp_path: Path) -> None:
    run = search_run(tmp_path / "s")
    (run / "evaluation" / "metrics.json").write_text("{")
    with pytest.raises(InputError, match=rf"^{run}/evaluation/metrics\.json: not JSON"):
        read_runs([run])


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ('"right":true', '"right":"perhaps"', "right: "),
        ('"right":true,', "", "right: field required"),
        ('"right":true', '"right":true,"mood":1', "mood: extra inputs are not permitted"),
        ("}", "", "not JSON"),
    ],
)
def test_a_bad_line_of_costs_is_named(tmp_path: Path, old: str, new: str, fault: str) -> None:
    file = strategy_run(tmp_path / "beam", {"p": False, "q": True}) / "costs.jsonl"
    file.write_text(file.read_text().replace(old, new))
    number = 1 if old == "}" else 2
    with pytest.raises(InputError, match=rf"^{file}:{number}: {fault}"):
        read_runs([file.parent])


@pytest.mark.parametrize("chosen", ["none", "7"])
def test_a_tree_that_names_no_step_as_its_answer_is_named(tmp_path: Path, chosen: str) -> None:
    file = search_run(tmp_path / "s") / "trees.jsonl"
    file.write_text(file.read_text().replace('"chosen","value":"0"', f'"chosen","value":"{chosen}"'))
    with pytest.raises(InputError, match=rf"^{file}: one: the answer is no step of the tree, got '{chosen}'"):
        read_runs([file.parent])


def test_a_bad_attribution_is_named(tmp_path: Path) -> None:
    run = search_run(tmp_path / "s")
    (run / "attributions.jsonl").write_text('{"problem_id": "two", "leaf": 0}\n')
    with pytest.raises(InputError, match=rf"^{run}/attributions\.jsonl:1: problem: "):
        read_runs([run])


def test_a_history_is_read_by_its_columns(tmp_path: Path) -> None:
    file = tmp_path / "history.csv"
    file.write_text("step,loss\n1,0.5\n2,0.25\n")
    assert read_history(file) == ({"step": 1.0, "loss": 0.5}, {"step": 2.0, "loss": 0.25})
    file.write_text("step,loss\n")
    assert read_history(file) == ()


@pytest.mark.parametrize(
    "content",
    [
        b"step,loss\n1,low\n",
        b"step,loss\n1\n",
        b"step,loss\n1,0.5,3\n",
        b"loss\n0.5\n",
        b"step,loss\n1,0.5\xff\n",
        b'step,loss\n"' + b"1" * 200_000,
    ],
    ids=["text", "too few", "too many", "no step", "no text", "a field without end"],
)
def test_what_is_no_history_is_named(tmp_path: Path, content: bytes) -> None:
    run = train_run(tmp_path / "t")
    (run / "history.csv").write_bytes(content)
    with pytest.raises(InputError, match=rf"^{run}/history\.csv: not a history of a training"):
        read_runs([run])


def test_unknown_values_stay_unknown(tmp_path: Path) -> None:
    (run,) = read_runs([train_run(tmp_path / "t", auroc=float("nan"))])
    assert isinstance(run.result, TrainingResult)
    assert run.result.auroc != run.result.auroc
