from pathlib import Path
from typing import Any

import pytest

from prmkit.rows_io import local_rows
from prmkit.sources.prm800k import tree_of
from prmkit.sources.trl import trl_rows
from prmkit.tree import Label
from tests.tiny import path_tree

Row = tuple[tuple[str, ...], tuple[bool, ...]]


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
        tree = tree_of(row, raw.where, neutral="trl", screening=True)
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
