from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.sources.corpus import Corpus
from prmkit.sources.math_aps import tree_of
from prmkit.tree import StepTree
from tests.sources.samples import GOOD_ROWS

NESTED = GOOD_ROWS["math-aps"]


def flat(*prefixes: tuple[str, float]) -> dict[str, Any]:
    return NESTED | {"reasoning_steps": [{"solution_prefix": text, "mc_value": share} for text, share in prefixes]}


def shape(tree: StepTree) -> list[tuple[int, str, float | None]]:
    return [(node.parent, node.text, node.label.value if node.label else None) for node in tree]


def test_the_root_is_the_question_and_every_other_node_a_step() -> None:
    assert shape(tree_of(NESTED, "f:1")) == [(-1, "Add.", 0.75), (-1, "Subtract.", 0.0), (0, "2", 1.0)]


def test_in_a_flat_list_the_longest_prefix_is_the_parent() -> None:
    row = flat(("1 + 1?", 0.5), ("1 + 1?\n\nAdd. Then 2", 1.0), ("1 + 1?\n\nAdd.", 0.75), ("1 + 1?\n\nSubtract.", 0.0))
    assert shape(tree_of(row, "f:1")) == [(-1, "Add.", 0.75), (-1, "Subtract.", 0.0), (0, "Then 2", 1.0)]


def test_a_prefix_that_adds_only_space_is_no_step() -> None:
    row = flat(("1 + 1?\n", 0.5), ("1 + 1?\nAdd.", 0.75))
    assert shape(tree_of(row, "f:1")) == [(-1, "Add.", 0.75)]


def test_two_estimates_of_one_prefix_are_averaged() -> None:
    row = flat(("1 + 1? Add.", 0.75), ("1 + 1? Add.", 0.25))
    assert shape(tree_of(row, "f:1")) == [(-1, "Add.", 0.5)]


@pytest.mark.parametrize(("threshold", "values"), [(0.0, [1.0, 0.0, 1.0]), (0.75, [0.0, 0.0, 1.0])])
def test_hard_labels_are_whether_the_share_is_above_the_threshold(threshold: float, values: list[float]) -> None:
    tree = tree_of(NESTED, "f:1", kind="hard", threshold=threshold)
    assert [node.label.value for node in tree if node.label] == values


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (flat(("Another question", 0.5)), "does not begin with the question"),
        (flat(("1 + 1? a", 1.5)), "illegal mc_value, got 1.5"),
        (NESTED | {"reasoning_steps": {"text": "q", "mc_value": 1.0}}, "illegal children"),
        (NESTED | {"final_answer": None}, "the row has no final_answer"),
    ],
)
def test_a_row_that_breaks_the_form(row: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tree_of(row, "f:1")


@pytest.mark.realdata
def test_the_real_trees(data_dir: Path) -> None:
    trees = list(Corpus("math-aps", str(data_dir / "math_aps" / "openr_samples_math-aps-tree.jsonl")))
    # Counted by a walk over the JSON: 143 and 24 nodes with the root.
    assert [len(tree) for tree in (trees[0], trees[2])] == [142, 23]
    dice = trees[2]
    assert dice.problem.answer == r"\frac{11}{36}"
    assert [node.label.value for node in dice if node.label and node.parent == -1] == [1, 1, 1, 1, 0, 0.1875, 0, 0.1875]


@pytest.mark.realdata
def test_the_real_lists_of_prefixes(data_dir: Path) -> None:
    trees = list(Corpus("math-aps", str(data_dir / "math_aps" / "openr_samples_math-aps.jsonl")))
    # 90, 13 and 42 prefixes, of which 86, 10 and 39 differ, one of them the question itself.
    assert [len(tree) for tree in trees] == [85, 9, 38]
    # The second row estimates one prefix as 1/32 and as 2/32.
    assert 3 / 64 in [node.label.value for node in trees[1] if node.label]
