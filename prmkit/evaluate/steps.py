"""Step by step: how well a threshold on scores tells right steps from wrong ones, as PRMBench measures it.

Source: Song et al. 2025, arXiv 2501.03124, section 3 and the repository's evaluation: the PRM-Score of a class is the
mean of the F1 of right steps and of wrong steps.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from prmkit.errors import InputError

CATEGORIES = {
    "simplicity": ("redundency", "circular"),
    "soundness": ("counterfactual", "step_contradiction", "domain_inconsistency", "confidence"),
    "sensitivity": ("missing_condition", "deception", "multi_solutions"),
}
"""PRMBench's classes, spelled as in its data, by category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """Figures of single steps, in [0, 1]; an F1 is 0 where nothing was found.

    ``f1`` takes right steps for positives, ``negative_f1`` wrong ones; ``prm_score`` is their mean.
    """

    steps: int
    accuracy: float
    f1: float
    negative_f1: float

    @property
    def prm_score(self) -> float:
        """PRMBench's PRM-Score."""
        return (self.f1 + self.negative_f1) / 2

    def as_dict(self) -> dict[str, float | int]:
        """The report as JSON."""
        return {
            "steps": self.steps,
            "accuracy": self.accuracy,
            "f1": self.f1,
            "negative_f1": self.negative_f1,
            "prm_score": self.prm_score,
        }


def step_report(scores: Sequence[float], right: Sequence[bool], threshold: float = 0.5) -> StepReport:
    """The figures of steps that are called right if they score at least the threshold.

    Raises:
        InputError: there is no step, or the arguments differ in length.
    """
    if len(scores) != len(right) or not right:
        raise InputError("scores and labels do not fit together", got=(len(scores), len(right)), expected="equal, > 0")
    pairs = [(score >= threshold, label) for score, label in zip(scores, right, strict=True)]
    return StepReport(
        steps=len(pairs),
        accuracy=sum(guess == label for guess, label in pairs) / len(pairs),
        f1=_f1([(guess, label) for guess, label in pairs]),
        negative_f1=_f1([(not guess, not label) for guess, label in pairs]),
    )


def by_class(steps: Sequence[tuple[str, float, bool]], threshold: float = 0.5) -> dict[str, Any]:
    """The report of each class of (class, score, right), of each category (the mean of its classes) and overall.

    Keys: ``classes``, ``categories``, and ``prm_score``, the mean over the classes that are there.
    """
    rows: defaultdict[str, list[tuple[float, bool]]] = defaultdict(list)
    for name, score, right in steps:
        rows[name].append((score, right))
    reports = {
        name: step_report([score for score, _ in found], [right for _, right in found], threshold)
        for name, found in sorted(rows.items())
    }
    categories = {
        category: _mean([reports[name].prm_score for name in names if name in reports])
        for category, names in CATEGORIES.items()
        if any(name in reports for name in names)
    }
    return {
        "classes": {name: report.as_dict() for name, report in reports.items()},
        "categories": categories,
        "prm_score": _mean([report.prm_score for report in reports.values()]),
    }


def _f1(pairs: Sequence[tuple[bool, bool]]) -> float:
    found = sum(guess and label for guess, label in pairs)
    guessed, there = sum(guess for guess, _ in pairs), sum(label for _, label in pairs)
    return 2 * found / (guessed + there) if guessed + there else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
