"""The table of stages: whatever a recipe can be run by. Adding a stage touches its own module and this table."""

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from prmkit.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from prmkit.recipe.stage import Stage


class Entry(NamedTuple):
    """A stage as the command line knows it before anything is imported.

    Attributes:
        module: holds it, as ``STAGE``.
        verb: words of its command.
        summary: the first line of its help.
    """

    module: str
    verb: str
    summary: str


STAGES: Mapping[str, Entry] = {
    "world": Entry(
        "prmkit.recipe.stages.world",
        "world",
        "Make the embedded world's policy and backbone: the shipped ones, or others of any size.",
    ),
    "annotate": Entry(
        "prmkit.recipe.stages.annotate",
        "annotate",
        "Label the steps of solutions with a policy, and write trees.jsonl; --dry-run tells the cost from a pilot.",
    ),
    "train": Entry(
        "prmkit.recipe.stages.train",
        "train",
        "Train a PRM on labelled trees, and write its checkpoint; with --plan, say what that takes.",
    ),
    "search": Entry(
        "prmkit.recipe.stages.search",
        "search",
        "Solve problems with a policy, a PRM and a search strategy, and write trees.jsonl.",
    ),
    "evaluate-samples": Entry(
        "prmkit.recipe.stages.evaluate_samples",
        "evaluate samples",
        "Judge a search run, or anybody's samples: pass@k, maj@k, prm@k, with errors, by group.",
    ),
    "evaluate-steps": Entry(
        "prmkit.recipe.stages.evaluate_steps",
        "evaluate steps",
        "Measure how well a PRM finds wrong steps: first-error F1, step AUC, calibration.",
    ),
    "evaluate-selection": Entry(
        "prmkit.recipe.stages.evaluate_selection",
        "evaluate selection",
        "Choose the answers of a search again, by every rule and aggregation of step scores.",
    ),
    "evaluate-anytime": Entry(
        "prmkit.recipe.stages.evaluate_anytime",
        "evaluate anytime",
        "Accuracy of a search, or of several side by side, at every smaller budget.",
    ),
    "evaluate-rethinking": Entry(
        "prmkit.recipe.stages.evaluate_rethinking",
        "evaluate rethinking",
        "What a PRM says of steps that think again, over a search.",
    ),
    "similarity": Entry(
        "prmkit.recipe.stages.similarity",
        "similarity",
        "Compare how a model processes sets of responses, by activation patterns.",
    ),
    "study": Entry(
        "prmkit.study.stage",
        "study",
        "Run what a study still needs, and write its figure and table; a run is never done twice.",
    ),
}
"""By the value of the key ``stage`` of a recipe."""


def stage_named(name: object, *, where: object = None) -> "Stage[Any]":
    """The stage of that name.

    Raises:
        InputError: there is none.
    """
    if not isinstance(name, str) or name not in STAGES:
        expected = f"one of {', '.join(sorted(STAGES))}"
        raise InputError("unknown stage", where=where, got=name, expected=expected, cure=did_you_mean(name, STAGES))
    stage: Stage[Any] = importlib.import_module(STAGES[name].module).STAGE
    return stage


def stage_of(recipe: object) -> "Stage[Any]":
    """The stage that a bound recipe belongs to."""
    return stage_named(recipe.stage)  # type: ignore[attr-defined]  # every recipe has the key
