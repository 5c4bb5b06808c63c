"""Step by step: how well a threshold on scores tells right steps from wrong ones, as PRMBench measures it.

Source: Song et al. 2025, arXiv 2501.03124, section 3; ssmisya/PRMBench at a1ae4ea, the task prmtest_classified (how
steps are counted) and the notebook form_latex_strs (how the table is made of that). Two things differ. An F1 is 0 here
where nothing was found; there it may be -1. A step that scores exactly the threshold is right here; there it is wrong.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from prmkit.errors import InputError
from prmkit.run.results import Figures

CATEGORIES = {
    "simplicity": ("redundency", "circular"),
    "soundness": ("counterfactual", "step_contradiction", "domain_inconsistency", "confidence"),
    "sensitivity": ("missing_condition", "deception", "multi_solutions"),
}
"""PRMBench's classes, spelled as in its data, by category."""

_ALL_RIGHT = "multi_solutions"
"""The class without wrong steps: other ways to solve a problem. Its PRM-Score is the F1 of right steps alone."""


class StepReport(Figures):
    """Figures of single steps, in [0, 1]; an F1 is 0 where nothing was found.

    ``f1`` takes right steps for positives, ``negative_f1`` wrong ones; ``prm_score``, PRMBench's, is their mean, and of
    the class ``multi_solutions``, which has no wrong step, ``f1``.
    """

    steps: int
    accuracy: float
    f1: float
    negative_f1: float
    prm_score: float


class ClassReports(Figures):
    """PRMBench's table.

    Attributes:
        classes: the report of each class of wrong steps, over all its steps together.
        categories: the mean PRM-Score of the classes of each category, of those that are there.
        prm_score: of the steps of all classes together; not the mean of the classes.
    """

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
    """The reports of steps (class, score, right); classes and categories that are not there are left out.

    Raises:
        InputError: there is no step.
    """
    rows: defaultdict[str, list[tuple[float, bool]]] = defaultdict(list)
    for name, score, right in steps:
        rows[name].append((score, right))
    reports = {name: _report(rows[name], threshold) for name in sorted(rows)}
    return class_reports(reports, _report([(score, right) for _, score, right in steps], threshold))


def class_reports(reports: Mapping[str, StepReport], whole: StepReport) -> ClassReports:
    """PRMBench's table from the report of each class, and that of the steps of all classes."""
    classes = dict(reports)
    if _ALL_RIGHT in classes:
        classes[_ALL_RIGHT] = classes[_ALL_RIGHT].model_copy(update={"prm_score": classes[_ALL_RIGHT].f1})
    found = {
        category: [classes[name].prm_score for name in names if name in classes]
        for category, names in CATEGORIES.items()
    }
    categories = {category: sum(scores) / len(scores) for category, scores in found.items() if scores}
    return ClassReports(classes=classes, categories=categories, prm_score=whole.prm_score)


def _report(steps: Sequence[tuple[float, bool]], threshold: float) -> StepReport:
    return step_report([score for score, _ in steps], [right for _, right in steps], threshold)


def _f1(pairs: Sequence[tuple[bool, bool]]) -> float:
    found = sum(guess and label for guess, label in pairs)
    guessed, there = sum(guess for guess, _ in pairs), sum(label for _, label in pairs)
    return 2 * found / (guessed + there) if guessed + there else 0.0
