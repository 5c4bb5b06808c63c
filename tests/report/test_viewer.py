import base64
import gzip
from pathlib import Path
from typing import Any

import orjson

from prmkit.attribution.record import add_record
from prmkit.report.read import read_runs
from prmkit.report.viewer import TreePages, tree_pages
from tests.report.runs import explained, search_run, strategy_run, train_run


def pages(*folders: Path, room: int = 10**9) -> TreePages:
    found = tree_pages(read_runs(folders), room)
    assert found is not None
    return found


def opened(chunk: str) -> Any:
    return orjson.loads(gzip.decompress(base64.b64decode(chunk)))


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
    for scores, leaf, steps in (
        ([0.1], 0, ["4 is right"]),
        ([0.9], 0, ["4 is right"]),
        ([0.1], 1, ["of an earlier search"]),
        ([0.1], 7, ["beyond the tree"]),
    ):
        add_record(explained(steps, scores), run, problem_id="two", leaf=leaf)
    found = pages(run)
    assert [problem["attributed"] for problem in found.index["problems"]] == [False, True]
    attributed = opened(found.chunks[1])["trees"]["0"]["attributed"]
    assert list(attributed) == ["0"]
    assert attributed["0"]["scores"] == [0.9]  # the last one of this solution
    assert attributed["0"]["by_token"][0]["values"] == [0.5, -1.0, 0.25]


def test_runs_without_trees_have_no_viewer(tmp_path: Path) -> None:
    assert tree_pages(read_runs([train_run(tmp_path / "t")]), 10**9) is None
