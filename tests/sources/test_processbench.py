from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.step_errors import first_error_of_labels
from prmkit.sources.corpus import Corpus
from prmkit.sources.processbench import tree_of


def row(label: object, steps: object = ("a", "b", "c")) -> dict[str, object]:
    return {"id": "x-0", "problem": "p", "steps": list(steps) if isinstance(steps, tuple) else steps, "label": label}


@pytest.mark.parametrize(
    ("label", "values"), [(-1, [1.0, 1.0, 1.0]), (0, [0.0, None, None]), (1, [1.0, 0.0, None]), (2, [1.0, 1.0, 0.0])]
)
def test_steps_are_right_before_the_marked_one_and_unknown_after_it(label: int, values: list[float | None]) -> None:
    found = [node.label.value if node.label else None for node in tree_of(row(label), "f:1")]
    assert found == values
    assert first_error_of_labels(found) == label


@pytest.mark.parametrize("bad", [row(3), row(-2), row(True), row("1"), row(-1, ()), row(0, (1,)), row(0, "abc")])
def test_a_label_names_a_step(bad: dict[str, object]) -> None:
    with pytest.raises(InputError, match="f:1"):
        tree_of(bad, "f:1")


@pytest.mark.realdata
@pytest.mark.parametrize(("split", "erroneous", "correct"), [("gsm8k", 207, 193), ("math", 594, 406)])
def test_the_real_splits_have_the_published_numbers(data_dir: Path, split: str, erroneous: int, correct: int) -> None:
    trees = list(Corpus("processbench", str(data_dir / "processbench" / f"{split}.json")))
    firsts = [first_error_of_labels([node.label.value if node.label else None for node in tree]) for tree in trees]
    assert (sum(first >= 0 for first in firsts), sum(first < 0 for first in firsts)) == (erroneous, correct)
