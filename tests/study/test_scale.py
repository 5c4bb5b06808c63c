from pathlib import Path

import pytest

from prmkit.errors import InputError, InputErrors
from prmkit.recipe.compose import Composed, compose
from prmkit.study.scale import at_scale
from tests.study.studies import STUDY, changed, write_study

SMALL = """\
scales:
  synthetic: {}
  small:
    axes:
      seed: [3]
      size: {small: {steps: 50}}
    runs: {train: {gpus: 1}}
    notes: [A note.]
"""


@pytest.fixture
def composed(tmp_path: Path) -> Composed:
    return compose(write_study(tmp_path, STUDY.partition("scales:")[0] + SMALL))


def test_a_scale_is_laid_over_what_all_share(composed: Composed) -> None:
    _, shared = at_scale(composed, "synthetic")
    _, small = at_scale(composed, "small")
    assert (shared.axes["seed"], small.axes["seed"]) == ([1, 2], [3])  # a list is replaced
    assert small.axes["size"]["small"] == {"steps": 50, "lr": 1e-3}  # type: ignore[call-overload]  # mappings merge
    assert small.axes["size"]["large"] == {"steps": 7, "lr": 2e-3}  # type: ignore[call-overload]
    assert (shared.runs["train"].gpus, small.runs["train"].gpus) == (0, 1)
    assert small.runs["train"].recipe == "synthetic/train"
    assert (shared.notes, small.notes) == ([], ["A note."])


def test_no_other_scale_is_left_and_every_value_keeps_its_place(composed: Composed) -> None:
    whole, study = at_scale(composed, "small")
    assert "scales" not in whole.values
    assert study.scales == {}
    assert whole.origin(("title",)) == f"{composed.path}:3"
    line = composed.path.read_text().splitlines().index("      seed: [3]") + 1
    assert whole.origin(("axes", "seed")) == f"{composed.path}:{line}"
    assert whole.origin(("axes", "k")) == f"{composed.path}:7"


def test_the_command_line_wins_over_a_scale(composed: Composed) -> None:
    whole, study = at_scale(composed, "small", ["axes.seed=[9]", "runs.train.gpus=4"])
    assert (study.axes["seed"], study.runs["train"].gpus) == ([9], 4)
    assert whole.origin(("axes", "seed")) == "--set"


def test_a_scale_that_is_not_described_is_named(composed: Composed) -> None:
    with pytest.raises(InputError, match=r"does not describe this scale, got 'smal'; expected one of synthetic, small"):
        at_scale(composed, "smal")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("title:", "titel:", r":3: unknown key titel; .*Did you mean title\?"),
        ("{command:", "{comand:", r":11: unknown key runs.stats.comand; .*Did you mean runs.stats.command\?"),
        (
            "    axes: {seed: [3]}",
            "    axis: {seed: [3]}",
            r":23: unknown key scales.small.axis; .*scales.small.axes\?",
        ),
        ("stage: study", "stage: train", r":2: the recipe is for another verb, got 'train'; expected study"),
    ],
)
def test_what_is_no_study_is_told_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = write_study(tmp_path, changed(old, new))
    with pytest.raises(InputErrors, match=rf"^{file}{message}"):
        at_scale(compose(file), "synthetic")


def test_what_the_command_line_makes_no_study_is_told(composed: Composed) -> None:
    with pytest.raises(InputErrors, match="--set: unknown key titel"):
        at_scale(composed, "small", ["titel=x"])
    with pytest.raises(InputErrors, match="--set: illegal override, got 'titel'"):
        at_scale(composed, "small", ["titel"])
