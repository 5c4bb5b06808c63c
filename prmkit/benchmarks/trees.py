"""The problems of a file of trees, such as a corpus that ``prmkit data convert`` has read."""

from pathlib import Path

from prmkit.errors import InputError
from prmkit.tree import Problem
from prmkit.trees_io import read_trees


def load(*, path: Path | None, limit: int | None, seed: int) -> list[Problem]:
    """The problems in file order, each once, whatever steps there are.

    Args:
        path: the file (docs/trees.md).
        limit: see prmkit.benchmarks.load.
        seed: not used.

    Raises:
        InputError: no file is named, or it is none of trees.
    """
    if path is None:
        raise InputError("problems of trees are in a file", where="trees", expected="problems.path")
    problems: dict[Problem, None] = {}
    for tree in read_trees(path):
        problems.setdefault(tree.problem)
        if len(problems) == limit:
            break
    return list(problems)
