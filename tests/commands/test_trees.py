import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prmkit.tree import ROOT, Problem, StepTree
from prmkit.trees_io import from_record, read_trees, to_record, write_trees
from tests.commands.conftest import Answer


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The trees of a search of two problems, as in a run folder."""
    trees = []
    for name in ("sums/1", "sums/2"):
        tree = StepTree(Problem(id=name, prompt="1 + 2?", answer="3"), meta={"strategy": "beam", "chosen": "1"})
        first = tree.add(ROOT, 'say "one"', score=0.5)
        tree.add(first, "#### 3", score=0.9, finish="eos")
        tree.add(first, "#### 4", finish="eos")
        trees.append(tree)
    write_trees(tmp_path / "run" / "trees.jsonl", trees)
    return tmp_path / "run"


def test_a_tree_is_shown_indented_with_scores_and_marks(prmkit: Callable[..., Answer], run: Path) -> None:
    answer = prmkit("trees", "show", run)
    assert answer.code == 0, answer.err
    lines = answer.out.rstrip().splitlines()
    assert lines[:2] == ["sums/1: 1 + 2?", "strategy beam  chosen 1"]
    assert lines[4:] == ['→ 0.500  say "one"', "  → 0.900  #### 3", "  ●   -    #### 4"]
    assert prmkit("trees", "show", run / "trees.jsonl").out == answer.out
    other = prmkit("trees", "show", run, "--problem", "sums/2")
    assert other.out == answer.out.replace("sums/1", "sums/2")


def test_a_tree_is_printed_and_written_as_its_record(prmkit: Callable[..., Answer], run: Path, tmp_path: Path) -> None:
    _, second = read_trees(run / "trees.jsonl")
    assert json.loads(prmkit("trees", "show", run, "--problem", "sums/2", "--json").out) == to_record(second)
    for name, options in (("tree.json", ()), ("tree.txt", ()), ("tree.gv", ("--format", "json"))):
        answer = prmkit("trees", "export", run, "--problem", "sums/2", "--out", tmp_path / name, "--json", *options)
        assert json.loads(answer.out) == {"wrote": f"{tmp_path}/{name}", "problem": "sums/2", "steps": 3}
        assert from_record(json.loads((tmp_path / name).read_text())) == second


@pytest.mark.parametrize(("name", "options"), [("t.dot", ()), ("t.gv", ()), ("t.txt", ("--format", "dot"))])
def test_a_tree_is_written_for_graphviz_by_the_name_of_its_file_or_by_option(
    prmkit: Callable[..., Answer], run: Path, tmp_path: Path, name: str, options: tuple[str, ...]
) -> None:
    assert prmkit("trees", "export", run, "--out", tmp_path / name, *options).code == 0
    text = (tmp_path / name).read_text()
    assert text.startswith("digraph tree {")
    assert r'label="say \"one\"\n0.500"' in text
    assert text.count(" -> ") == 3


def test_a_problem_that_is_not_there_is_named_with_the_nearest(prmkit: Callable[..., Answer], run: Path) -> None:
    answer = prmkit("trees", "show", run, "--problem", "sum/2")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == f"{run}/trees.jsonl: no such problem, got 'sum/2'. Did you mean sums/2?\n"


def test_a_file_that_exists_is_left_as_it_is(prmkit: Callable[..., Answer], run: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.json").write_text("precious")
    answer = prmkit("trees", "export", run, "--out", tmp_path / "thesis.json")
    assert answer.code == 2
    assert "thesis.json: the file exists. Choose another name or remove it." in answer.err
    assert (tmp_path / "thesis.json").read_text() == "precious"


def test_what_holds_no_tree_is_refused(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").write_text("")
    for path, message in ((tmp_path / "gone", "gone: no such file"), (tmp_path / "empty.jsonl", "holds no tree")):
        answer = prmkit("trees", "show", path)
        assert (answer.code, answer.out) == (2, "")
        assert message in answer.err
