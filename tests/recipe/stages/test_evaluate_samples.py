import json
from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError, RunError
from prmkit.evaluate.evaluation import EvaluationResult
from prmkit.grade.config import GradingConfig
from prmkit.recipe.bind import bind
from prmkit.recipe.compose import compose
from prmkit.recipe.execute import execute, prepare
from prmkit.recipe.stages.evaluate_samples import STAGE, EvaluateSamplesRecipe
from prmkit.run.files import write_json
from tests.recipe.stages.searched import search_run

# 50 % is 0.5 to Qwen's grader alone.
HALF = [{"id": "a", "problem": "?", "answer": "50", "responses": ["\\boxed{0.5}", "\\boxed{50}"], "scores": [0.9, 0.1]}]
PROBLEMS = [[("4", 0.9), ("5", 0.2)], [("6", 0.9), ("4", 0.3)]]


def recipe_of(path: Path, **values: Any) -> EvaluateSamplesRecipe:
    return EvaluateSamplesRecipe(stage="evaluate-samples", path=str(path), **values)


def evaluated(path: Path, out: Path, **values: Any) -> EvaluationResult:
    _, result = execute(recipe_of(path, **values), out)
    assert isinstance(result, EvaluationResult)
    return result


def samples(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_search_is_judged_as_it_was_searched_unless_something_else_is_said(tmp_path: Path) -> None:
    run = search_run(tmp_path / "run", PROBLEMS, grading={"grader": "qwen", "vote": "behaviour", "unsafe_local": False})
    first = evaluated(run, tmp_path / "one")
    assert (first.grading, first.aggregation) == (GradingConfig(grader="qwen"), "last")
    assert (first.selection["prm@2"].value, first.selection["pass@2"].value) == (0.5, 1.0)
    other = evaluated(run, tmp_path / "two", grading={"grader": "math-verify"}, aggregation="min")
    assert (other.grading, other.aggregation) == (GradingConfig(), "min")


def test_a_file_is_judged_by_the_defaults_and_another_grader_says_something_else(tmp_path: Path) -> None:
    file = samples(tmp_path / "s.jsonl", *HALF)
    assert evaluated(file, tmp_path / "one").selection["prm@2"].value == 0.0
    assert evaluated(file, tmp_path / "two", grading={"grader": "qwen"}).selection["prm@2"].value == 1.0


def test_the_verdict_on_every_solution_is_kept_and_a_killed_evaluation_that_goes_on_keeps_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = samples(tmp_path / "s.jsonl", *HALF)
    evaluated(file, tmp_path / "one")
    kept = (tmp_path / "one" / "verdicts.jsonl").read_text()
    assert [json.loads(line)["found"] for line in kept.splitlines()] == ["0.5", "50"]
    with monkeypatch.context() as killed:
        killed.setattr("prmkit.evaluate.evaluation.write_verdicts", None)
        with pytest.raises(TypeError):
            evaluated(file, tmp_path / "two")
    monkeypatch.setattr("prmkit.evaluate.judging.judge", None)  # nothing is judged again
    execute(recipe_of(file), tmp_path / "two", resume=True)
    assert (tmp_path / "two" / "verdicts.jsonl").read_text() == kept


def test_the_record_replays_the_evaluation(tmp_path: Path) -> None:
    run = search_run(tmp_path / "run", PROBLEMS)
    folder, first = execute(recipe_of(run, grading={"grader": "qwen"}), run / "evaluation")
    replayed = bind(compose(folder.record))
    assert replayed == recipe_of(run, grading={"grader": "qwen"})
    assert execute(replayed, tmp_path / "again")[1] == first


def test_a_file_of_trees_is_evaluated_as_the_run_that_made_it(tmp_path: Path) -> None:
    run = search_run(tmp_path / "run", PROBLEMS)
    assert evaluated(run / "trees.jsonl", tmp_path / "one").rules == evaluated(run, tmp_path / "two").rules


def test_two_gradings_are_not_compared_and_nothing_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = search_run(tmp_path / "run", PROBLEMS)
    execute(recipe_of(run), run / "evaluation")
    monkeypatch.setattr("prmkit.evaluate.judging.judge", None)
    message = "the runs were judged differently, got 'grader qwen, vote behaviour'; expected grader math-verify, vote"
    with pytest.raises(InputError, match=message):
        prepare(recipe_of(run, compare=str(run), grading={"grader": "qwen"}))


def test_a_run_is_compared_with_itself_without_a_difference(tmp_path: Path) -> None:
    run = search_run(tmp_path / "run", PROBLEMS)
    execute(recipe_of(run), run / "evaluation")
    rows = evaluated(run, tmp_path / "again", compare=str(run)).comparison
    assert {row.rule: row.difference.value for row in rows} == {"pass@1": 0.0, "maj@2": 0.0, "prm@2": 0.0}


def test_a_problem_with_fewer_samples_than_others_is_counted_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    row = {"problem": "?", "answer": "4"}
    rows = [{**row, "id": name, "responses": ["#### 4", "#### 5"]} for name in "ab"]
    file = samples(tmp_path / "s.jsonl", *rows, {**row, "id": "c", "responses": ["#### 5"]})
    found = evaluated(file, tmp_path / "one")
    assert (found.selection["pass@1"].value, found.selection["pass@1"].n) == (pytest.approx(1 / 3), 3)
    assert (found.selection["pass@2"].value, found.selection["pass@2"].n) == (1.0, 2)
    (said,) = caplog.messages
    assert said.startswith("1 of 3 problems have fewer samples than 2, the fewest 1: ")


def test_what_a_corpus_has_seen_is_told(tmp_path: Path) -> None:
    file = samples(tmp_path / "s.jsonl", {"id": "a", "problem": "What is 2 + 2?", "answer": "4", "response": "4"})
    corpus = samples(tmp_path / "c.jsonl", {"problem": "what is  2 + 2?"})
    found = evaluated(file, tmp_path / "one", against={"source": "rows", "path": str(corpus)}).contamination
    assert found is not None
    assert (found.seen, found.of, found.problems[0].id) == (1, 1, "a")


def test_a_killed_judging_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = search_run(tmp_path / "run", PROBLEMS)
    recipe, asked = recipe_of(run), []
    from prmkit.evaluate import judging

    judge = judging.judge

    def killed_at_the_second(solutions: Any, grading: Any) -> Any:
        asked.append(solutions.problem.id)
        if len(asked) == 2:
            raise RunError("killed")
        return judge(solutions, grading)

    monkeypatch.setattr("os.cpu_count", lambda: 1)
    monkeypatch.setattr(judging, "judge", killed_at_the_second)
    with pytest.raises(RunError, match="killed"):
        execute(recipe, tmp_path / "out")
    folder, result = execute(recipe, tmp_path / "out", resume=True)
    assert asked == ["p0", "p1", "p1"]
    assert isinstance(result, EvaluationResult)
    assert result.rules == evaluated(run, tmp_path / "whole").rules
    assert not (folder.path / "judged.jsonl").exists()


def test_what_cannot_be_evaluated_leaves_an_older_evaluation_as_it_was(tmp_path: Path) -> None:
    run = search_run(tmp_path / "run", PROBLEMS)
    folder, _ = execute(recipe_of(run), run / "evaluation")
    before = folder.metrics_file.read_bytes()
    row = {"id": "other", "problem": "?", "answer": "1", "response": "#### 1", "score": 0.5}
    evaluated(samples(tmp_path / "other.jsonl", row), tmp_path / "other")
    with pytest.raises(InputError, match="other: the evaluations share no problem"):
        execute(recipe_of(run, compare=str(tmp_path / "other")), folder.path, overwrite=True)
    with pytest.raises(InputError, match="an input lies in the folder to overwrite"):
        execute(recipe_of(run, compare=str(run)), folder.path, overwrite=True)
    half = search_run(tmp_path / "half", [[("4", 0.9), ("5", None)]])
    with pytest.raises(InputError, match="p0: a step has no score"):
        execute(recipe_of(half), folder.path, overwrite=True)
    assert folder.metrics_file.read_bytes() == before


@pytest.mark.parametrize(("path", "message"), [("gone", "no such run folder or file"), ("empty", "no search run here")])
def test_what_is_not_there_is_named(tmp_path: Path, path: str, message: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=message):
        prepare(recipe_of(tmp_path / path))


def test_a_benchmark_that_would_do_nothing_is_refused(tmp_path: Path) -> None:
    run = search_run(tmp_path / "run", PROBLEMS)
    for path in (run, run / "trees.jsonl"):
        with pytest.raises(InputError, match=r"the trees hold their problems, got 'math500'\. Leave the benchmark out"):
            prepare(recipe_of(path, problems={"benchmark": "math500"}))


def test_results_go_beside_a_search_or_below_runs_and_every_file_is_an_input(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    search = recipe_of(tmp_path / "run")
    assert STAGE.folder(search) == tmp_path / "run" / "evaluation"
    assert list(STAGE.inputs(search)) == [f"{tmp_path}/run/trees.jsonl", None, None, None]
    file = recipe_of(
        Path("x/mine.v2.jsonl"),
        problems={"benchmark": "math500", "path": "p.jsonl"},
        against={"source": "rows", "path": "c.jsonl"},
        compare=str(tmp_path / "run"),
    )
    write_json(tmp_path / "run" / "metrics.json", {})
    assert STAGE.folder(file) == Path("runs/evaluate-mine")
    assert list(STAGE.inputs(file)) == ["x/mine.v2.jsonl", "p.jsonl", "c.jsonl", f"{tmp_path}/run/metrics.json"]


def test_bad_rows_stand_aside_and_are_counted_in_the_result(tmp_path: Path) -> None:
    good = {"id": "a", "problem": "?", "answer": "1", "response": "#### 1"}
    file = samples(tmp_path / "s.jsonl", {"id": "b", "response": "x"}, good, {**good, "problem": "!"})
    result = evaluated(file, tmp_path / "out")
    assert result.correct == {"a": [True], "a#2": [True]}
    assert result.rows is not None
    assert (result.rows.read, result.rows.quarantined, len(result.rows.notes)) == (3, 1, 1)
    assert result.rows.bad[0].where == f"{file}:1"
    (aside,) = [json.loads(line) for line in (tmp_path / "out" / "quarantine.jsonl").read_text().splitlines()]
    assert (aside["where"], json.loads(aside["row"])) == (f"{file}:1", {"id": "b", "response": "x"})
    assert EvaluationResult.model_validate(result.as_json()) == result


def test_a_bad_first_row_hides_no_trees(tmp_path: Path) -> None:
    run = search_run(tmp_path / "run", PROBLEMS)
    file = tmp_path / "s.jsonl"
    file.write_text("torn\n" + (run / "trees.jsonl").read_text())
    with pytest.raises(InputError, match=r"s\.jsonl:1: not JSON"):
        evaluated(file, tmp_path / "out")


def test_a_folder_of_programs_is_evaluated(tmp_path: Path) -> None:
    task = {
        "task_id": "HumanEval/0",
        "prompt": "def f(x):\n",
        "entry_point": "f",
        "canonical_solution": "    return x\n",
    }
    rows = samples(tmp_path / "tasks.jsonl", {**task, "base_input": [[1]], "plus_input": [[2]], "atol": 0})
    folder = tmp_path / "programs" / "HumanEval_0"
    folder.mkdir(parents=True)
    (folder / "0.py").write_text("def f(x):\n    return x\n")
    (folder / "1.py").write_text("def f(x):\n    return 1\n")
    problems = {"benchmark": "humaneval-plus", "path": str(rows)}
    result = evaluated(folder.parent, tmp_path / "out", problems=problems)
    assert result.correct == {"HumanEval/0": [True, False]}
