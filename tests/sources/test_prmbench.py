from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.steps import by_class
from prmkit.sources import Unusable
from prmkit.sources.corpus import Corpus
from prmkit.sources.prmbench import tree_of

ROW = {
    "idx": "a", "modified_question": "?", "modified_process": ["one", "two", "three"], "error_steps": [2, 3],
    "classification": "circular",
}  # fmt: skip


def test_error_steps_count_from_one_and_the_others_are_right() -> None:
    tree = tree_of(ROW, "x")
    assert [node.label.value for node in tree if node.label is not None] == [1.0, 0.0, 0.0]
    assert tree.meta["class"] == "circular"


def test_a_row_may_have_no_error_or_name_one_beyond_its_last_step() -> None:
    for errors, values in (([], [1.0, 1.0, 1.0]), ([2, 4], [1.0, 0.0, 1.0])):  # a real row does
        tree = tree_of({**ROW, "error_steps": errors}, "x")
        assert [node.label.value for node in tree if node.label is not None] == values


@pytest.mark.parametrize(
    ("step", "text"),
    [
        ("2. two", "two"),
        ("Step 2. two", "two"),
        (" step 2.  two", "two"),
        ("9. two", "9. two"),  # the number of another step is not this one's
        ("2.5 two", "2.5 two"),
        ("two 2. two", "two 2. two"),
        ("2. ", "2. "),
    ],
)
def test_a_step_is_read_without_its_own_number(step: str, text: str) -> None:
    assert tree_of({**ROW, "modified_process": ["one", step]}, "x").nodes[1].text == text


def test_a_row_with_an_empty_step_is_set_aside_and_the_place_of_the_step_is_said() -> None:
    for step in ("", " \n"):
        with pytest.raises(Unusable, match="x: step 2 of 3 is empty"):
            tree_of({**ROW, "modified_process": ["one", step, "three"]}, "x")


@pytest.mark.parametrize(
    "change", [{"error_steps": [0]}, {"error_steps": ["2"]}, {"modified_process": []}, {"error_steps": None}]
)
def test_bad_rows_are_input_errors(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        tree_of({**ROW, **change}, "x")


@pytest.mark.realdata
def test_real_rows_and_a_perfect_prm(data_dir: Path) -> None:
    corpus = Corpus("prmbench", str(data_dir / "prmbench" / "circular_test_p1.jsonl"))
    trees = list(corpus)
    assert corpus.counts.quarantined == 0
    assert len(trees) == 90
    steps = [
        (tree.meta["class"], node.label.value, node.label.value > 0.5) for tree in trees for node in tree if node.label
    ]
    assert by_class(steps).prm_score == 1.0
