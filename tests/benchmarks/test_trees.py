"""The problems of trees as a benchmark: a corpus that has been converted can be searched."""

from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError
from prmkit.tree import StepTree
from prmkit.trees_io import write_trees
from tests.contracts.benchmark import check_benchmark
from tests.programs import FORMS


def test_each_problem_comes_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "trees.jsonl"
    first, second = FORMS["apps, script"].problem, FORMS["code-contests"].problem
    write_trees(path, [StepTree.from_steps(first, ["a"]), StepTree(second), StepTree(first)])
    assert load("trees", path=path) == [first, second]
    assert load("trees", path=path, limit=1) == [first]


def test_it_keeps_what_every_benchmark_must(tmp_path: Path) -> None:
    path = tmp_path / "trees.jsonl"
    write_trees(path, [StepTree(form.problem) for form in FORMS.values()])
    check_benchmark("trees", path=path)


def test_it_needs_a_file() -> None:
    with pytest.raises(InputError, match=r"^trees: problems of trees are in a file; expected problems\.path"):
        load("trees")
