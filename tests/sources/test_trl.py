import math

import pytest

from prmkit.errors import InputError
from prmkit.sources.trl import tree_of


def test_soft_labels_keep_their_fraction_and_truth_values_become_0_and_1() -> None:
    row = {"prompt": "p", "completions": ["a", "b", "c", "d"], "labels": [True, 0.25, None, False]}
    tree = tree_of(row, "f:1", labelled_by="monte-carlo")
    assert tree is not None
    assert [node.label and node.label.value for node in tree] == [1.0, 0.25, None, 0.0]
    assert [node.parent for node in tree] == [-1, 0, 1, 2]
    assert {node.label.source for node in tree if node.label} == {"monte-carlo"}


@pytest.mark.parametrize("value", [2, -0.1, math.nan, "1", [1]])
def test_a_label_is_a_probability(value: object) -> None:
    with pytest.raises(InputError, match=r"f:1: illegal label"):
        tree_of({"prompt": "p", "completions": ["a"], "labels": [value]}, "f:1")


def test_an_empty_step_is_refused() -> None:
    with pytest.raises(InputError, match="empty step"):
        tree_of({"prompt": "p", "completions": ["a", " "], "labels": [True, True]}, "f:1")
