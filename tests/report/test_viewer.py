import base64
import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from prmkit.report.pack import MOST_STEPS, Judged, Texts, packed
from prmkit.report.read import read_runs
from prmkit.report.viewer import TreePages, tree_pages
from prmkit.tree import ROOT, Label, Problem, StepTree
from prmkit.trees_io import append_lines
from tests.report.runs import search_run, strategy_run, train_run


def judged(tree: StepTree, right: dict[int, bool] | None = None, attributions: dict[int, Any] | None = None) -> Judged:
    return Judged(tree=tree, right=right or {}, attributions=attributions or {})


def searched() -> StepTree:
    """Two first steps; below the first, the chosen solution and another; the second was pruned."""
    tree = StepTree(Problem(id="p", prompt="1 + 1?"), meta={"chosen": "1"})
    first = tree.add(ROOT, "add", score=0.9)
    tree.add(first, "2", score=0.8004, finish="eos")
    tree.add(ROOT, "guess", label=Label(value=0.25, source="mc"))
    tree.add(first, "3", finish="eos")
    return tree


def pages(*folders: Path, room: int = 10**9) -> TreePages:
    found = tree_pages(read_runs(folders), room)
    assert found is not None
    return found


def opened(chunk: str) -> Any:
    return orjson.loads(gzip.decompress(base64.b64decode(chunk)))


def test_a_tree_is_packed_as_derived_by_hand() -> None:
    texts = Texts()
    assert texts.number("2") == 0  # of another strategy
    assert packed(judged(searched(), {1: True, 3: False}), texts) == {
        "parent": [-1, 0, -1, 0],
        "text": [1, 0, 2, 3],
        "status": "ccpf",
        "score": [900, 800, -1, -1],
        "label": [-1, -1, 250, -1],
        "right": {"1": 1, "3": 0},
        "chosen": 1,
    }
    assert texts.all == ["2", "add", "guess", "3"]


def test_what_does_not_fit_is_counted_where_it_was() -> None:
    """One solution is kept: that of the answer. Another below its first step, and a pruned step, are left out."""
    found = packed(judged(searched(), {1: True, 3: False}), Texts(), solutions=1)
    assert (found["parent"], found["right"], found["chosen"]) == ([-1, 0], {"1": 1}, 1)
    assert found["omitted"] == {"solutions": 2, "steps": 2, "right": 0}
    assert found["cut"] == {"0": 1, "-1": 1}


def test_an_explained_solution_is_kept_under_its_new_number() -> None:
    found = packed(judged(searched(), {3: True}, {3: {"steps": ["add", "3"]}}), Texts(), solutions=1)
    assert (found["parent"], found["right"]) == ([-1, 0, 0], {"2": 1})
    assert list(found["attributed"]) == ["2"]
    assert found["omitted"] == {"solutions": 1, "steps": 1, "right": 0}


def test_a_huge_tree_keeps_its_answer_and_counts_the_rest() -> None:
    tree = StepTree(Problem(id="p", prompt="?"), meta={"chosen": str(2 * MOST_STEPS)})
    for number in range(2 * MOST_STEPS + 1):
        tree.add(ROOT, f"step {number}", finish="eos")
    found = packed(judged(tree, {2 * MOST_STEPS: True, 2 * MOST_STEPS - 1: True}), Texts())
    assert len(found["parent"]) == MOST_STEPS
    assert (found["chosen"], found["right"]) == (MOST_STEPS - 1, {str(MOST_STEPS - 1): 1})
    assert found["omitted"] == {"solutions": MOST_STEPS + 1, "steps": MOST_STEPS + 1, "right": 1}


def test_a_corpus_has_no_pruned_steps() -> None:
    assert packed(judged(StepTree.from_steps(Problem(id="p", prompt="?"), ["a", "b"])), Texts())["status"] == "ii"


def test_strategies_on_one_problem_are_pages_of_it(tmp_path: Path) -> None:
    found = pages(
        strategy_run(tmp_path / "beam", {"p": True}), strategy_run(tmp_path / "mcts", {"p": False, "q": True})
    )
    assert [problem["id"] for problem in found.index["problems"]] == ["p", "q"]
    assert [problem["runs"] for problem in found.index["problems"]] == [{"0": 1, "1": 0}, {"1": 1}]
    assert [run["name"] for run in found.index["runs"]] == ["beam", "mcts"]
    assert found.index["counts"] == {"solutions": 6, "omitted": 0}
    chunk = opened(found.chunks[0])
    assert chunk["texts"] == ["the same first step", "4", "left", "5 by mcts"]
    assert [chunk["trees"][run]["text"] for run in ("0", "1")] == [[0, 1, 2], [0, 3, 2]]
    assert chunk["trees"]["0"]["right"] == {"1": 1}  # not evaluated: of the chosen one alone, from costs.jsonl


def test_one_id_with_two_texts_is_two_problems(tmp_path: Path) -> None:
    runs = [strategy_run(tmp_path / name, {"p": True}, prompt=name) for name in ("a", "b")]
    assert [problem["runs"] for problem in pages(*runs).index["problems"]] == [{"0": 1}, {"1": 1}]


def test_verdicts_of_all_solutions_come_from_the_evaluation(tmp_path: Path) -> None:
    found = pages(search_run(tmp_path / "s"))
    assert [opened(chunk)["trees"]["0"]["right"] for chunk in found.chunks] == [{"0": 0}, {"0": 1, "1": 0}]


def test_the_page_keeps_its_size_and_says_what_it_left_out(tmp_path: Path) -> None:
    long = " ".join(str(number**3) for number in range(100))
    run = strategy_run(tmp_path / "beam", {str(number): True for number in range(30)}, left=long)
    whole = [len(chunk) for chunk in pages(run).chunks]
    found = pages(run, room=sum(whole) - 1)
    assert sum(map(len, found.chunks)) < sum(whole)
    assert found.index["whole"] == 29  # all but the last, of which one solution of two is left out
    assert found.index["counts"] == {"solutions": 60, "omitted": 1}
    smallest = pages(run, room=1)
    assert (smallest.index["whole"], smallest.index["counts"]["omitted"]) == (0, 30)  # the answers are always there
    assert [opened(chunk)["trees"]["0"]["chosen"] for chunk in smallest.chunks] == [1] * 30


def test_attributions_belong_to_the_solutions_that_they_explain(tmp_path: Path) -> None:
    run = search_run(tmp_path / "s")
    assert not pages(run).index["problems"][1]["attributed"]
    record = {"problem_id": "two", "leaf": 0, "steps": ["4 is right"], "scores": [0.9]}
    other = {"problem_id": "two", "leaf": 1, "steps": ["of an earlier search"], "scores": [0.1]}
    append_lines(run / "attributions.jsonl", [record | {"scores": [0.1]}, record, other])
    found = pages(run)
    assert [problem["attributed"] for problem in found.index["problems"]] == [False, True]
    assert opened(found.chunks[1])["trees"]["0"]["attributed"] == {"0": record}


def test_runs_without_trees_have_no_viewer(tmp_path: Path) -> None:
    assert tree_pages(read_runs([train_run(tmp_path / "t")]), 10**9) is None


@pytest.mark.parametrize("missing", ["trees.jsonl", "evaluation.json"])
def test_what_is_missing_is_named(tmp_path: Path, missing: str) -> None:
    run = search_run(tmp_path / "s")
    (run / missing).unlink()
    (line,) = read_runs([run])[0].missing
    assert line.startswith(f"{run}/{missing} is missing: ")
