"""Step by step: how well a threshold on scores tells right steps from wrong ones, as PRMBench measures it.

Source: Song et al. 2025, arXiv 2501.03124, section 3 and the repository's evaluation: the PRM-Score of a class is the
mean of the F1 of right steps and of wrong steps.
"""

from collections import defaultdict
from collections.abc import Sequence

from prmkit.errors import InputError
from prmkit.run.results import Figures

CATEGORIES = {
    "simplicity": ("redundency", "circular"),
    "soundness": ("counterfactual", "step_contradiction", "domain_inconsistency", "confidence"),
    "sensitivity": ("missing_condition", "deception", "multi_solutions"),
}
"""PRMBench's classes, spelled as in its data, by category."""


class StepReport(Figures):
    """Figures of single steps, in [0, 1]; an F1 is 0 where nothing was found.

    ``f1`` takes right steps for positives, ``negative_f1`` wrong ones; ``prm_score``, PRMBench's, is their mean.
    """

    steps: int
    accuracy: float
    f1: float
    negative_f1: float
    prm_score: float


class ClassReports(Figures):
    """The report of each class of wrong steps, the mean PRM-Score of each category's classes, and of all classes."""

    classes: dict[str, StepReport]
    categories: dict[str, float]
    prm_score: float


def step_report(scores: Sequence[float], right: Sequence[bool], threshold: float = 0.5) -> StepReport:
    """The figures of steps that are called right if they score at least the threshold.

    Raises:
        InputError: there is no step, or the arguments differ in length.
    """
    if len(scores) != len(right) or not right:
        raise InputError("scores and labels do not fit together", got=(len(scores), len(right)), expected="equal, > 0")
    pairs = [(score >= threshold, label) for score, label in zip(scores, right, strict=True)]
    f1, negative_f1 = _f1(pairs), _f1([(not guess, not label) for guess, label in pairs])
    return StepReport(
        steps=len(pairs),
        accuracy=sum(guess == label for guess, label in pairs) / len(pairs),
        f1=f1,
        negative_f1=negative_f1,
        prm_score=(f1 + negative_f1) / 2,
    )


def by_class(steps: Sequence[tuple[str, float, bool]], threshold: float = 0.5) -> ClassReports:
    """The reports of steps (class, score, right); classes and categories that are not there are left out."""
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
    return ClassReports(
        classes=reports, categories=categories, prm_score=_mean([report.prm_score for report in reports.values()])
    )


def _f1(pairs: Sequence[tuple[bool, bool]]) -> float:
    found = sum(guess and label for guess, label in pairs)
    guessed, there = sum(guess for guess, _ in pairs), sum(label for _, label in pairs)
    return 2 * found / (guessed + there) if guessed + there else 0.0


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
