r"""MATH: problems with solutions that box their answers."""

from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.sources import problem_id
from prmkit.sources.corpus import Corpus
from prmkit.sources.math import tree_of
from prmkit.tree import Label, Problem, StepTree
from tests.sources.samples import GOOD_ROWS

ROW = GOOD_ROWS["math"]


def test_a_problem_comes_without_steps_and_with_its_answer_and_level() -> None:
    assert tree_of(ROW, "f:1") == StepTree(
        Problem(id=problem_id("math", "1 + 1?"), prompt="1 + 1?", answer="2", level="3")
    )


def test_a_gold_solution_is_a_path_of_right_steps_a_paragraph_each() -> None:
    solution = "Add\nboth.\n\n\n\nIt is $\\boxed{2}$.\n"
    tree = tree_of(ROW | {"solution": solution}, "f:1", gold=True)
    assert [(node.parent, node.text) for node in tree] == [(-1, "Add\nboth."), (0, "It is $\\boxed{2}$.")]
    assert all(node.label == Label(value=1.0, source="human") for node in tree)


@pytest.mark.parametrize(
    ("change", "answer"),
    [
        ({"solution": "\\boxed{1} or \\boxed{\\frac{1}{2}}"}, "\\frac{1}{2}"),
        ({"solution": "\\fbox{7}"}, "7"),
        ({"answer": "\\frac12"}, "\\frac12"),  # of MATH-500: the column, not the box
        ({"answer": 3.0}, "3"),
        ({"answer": 0}, "0"),
        ({"answer": None}, "2"),
    ],
)
def test_the_answer_is_the_column_or_what_is_boxed_last(change: dict[str, Any], answer: str) -> None:
    assert tree_of(ROW | change, "f:1").problem.answer == answer


@pytest.mark.parametrize(("given", "level"), [("Level 5", "5"), (4, "4"), ("Level ?", "?"), (None, None)])
def test_a_level_is_its_number(given: object, level: str | None) -> None:
    assert tree_of(ROW | {"level": given}, "f:1").problem.level == level


@pytest.mark.parametrize(
    ("change", "message"),
    [
        # Without a box nothing is taken for the answer, also where a sentence declares one.
        ({"solution": "The answer is 2."}, r"the solution has no answer, got 'The .*; expected \\boxed"),
        ({"solution": "\\boxed{}"}, "the solution has no answer"),
        ({"solution": None}, "the row has no solution"),
        ({"problem": []}, "the row has no problem"),
        ({"answer": ""}, "the row has no answer"),
        ({"answer": {"value": 2}}, "the row has no answer"),
    ],
)
def test_a_row_that_breaks_the_form(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^f:1: {message}"):
        tree_of(ROW | change, "f:1")


@pytest.mark.realdata
@pytest.mark.parametrize(("folder", "kept"), [("math", 5000), ("math500", 500)])
def test_every_real_problem_has_its_answer(data_dir: Path, folder: str, kept: int) -> None:
    corpus = Corpus("math", str(data_dir / folder))
    assert sum(tree.problem.answer is not None for tree in corpus) == kept == corpus.counts.read
