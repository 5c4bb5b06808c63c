import math
from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.row_files import local_rows
from prmkit.sources import prm800k
from prmkit.sources.trl import tree_of, trl_rows
from prmkit.tree import Label
from tests.tiny import path_tree

Row = tuple[tuple[str, ...], tuple[bool, ...]]


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


def rows_of_trls_script(row: Any) -> set[Row]:
    """What TRL's examples/datasets/prm800k.py makes of a raw row: one for each alternative, and one for the chain."""
    steps: tuple[str, ...] = ()
    labels: tuple[bool, ...] = ()
    rows: set[Row] = set()
    for step in row["label"]["steps"]:
        if step["completions"] is None and step["human_completion"] is None:
            break
        for number, each in enumerate(step["completions"] or []):
            if number != step["chosen_completion"]:
                rows.add(((*steps, each["text"]), (*labels, each["rating"] == 1)))
        if step["chosen_completion"] is not None:
            chosen = step["completions"][step["chosen_completion"]]
            steps, labels = (*steps, chosen["text"]), (*labels, chosen["rating"] == 1)
        elif step["human_completion"] is not None:
            steps, labels = (*steps, step["human_completion"]["text"]), (*labels, True)
        else:
            break
    return {*rows, (steps, labels)}


@pytest.mark.realdata
def test_with_trls_mapping_the_rows_are_those_of_its_script(data_dir: Path) -> None:
    for raw in local_rows(data_dir / "prm800k_raw"):
        row = raw.parse()
        tree = prm800k.tree_of(row, raw.where, neutral="trl", screening=True)
        assert tree is not None
        ours = {(tuple(each["completions"]), tuple(each["labels"])) for each in trl_rows(tree)}
        theirs = rows_of_trls_script(row)
        # Where an error ended the solution, the script also emits the steps before it, which other rows hold.
        prefixes = {each for each in theirs if any(o[0][: len(each[0])] == each[0] and o != each for o in theirs)}
        assert ours == theirs - prefixes


def test_a_row_ends_with_its_last_label_and_has_no_gap() -> None:
    assert [row["completions"] for row in trl_rows(path_tree("p", [("a", 1.0), ("b", None)]))] == [["a"]]
    assert list(trl_rows(path_tree("p", [("a", None), ("b", 1.0)]))) == []
    assert list(trl_rows(path_tree("p", [("a", None)]))) == []
    fork = path_tree("p", [("a", 1.0), ("b", None)])
    fork.add(0, "c")
    fork.add(0, "d", label=Label(value=0.25, source="monte-carlo"))
    assert [row["labels"] for row in trl_rows(fork)] == [[True], [True, 0.25]]
