"""The figures of sampled solutions: selection rules, how they differ, and each by level, subject and domain."""

from collections import defaultdict
from collections.abc import Sequence

from prmkit.errors import InputError
from prmkit.evaluate.calibration import Calibration, calibration
from prmkit.evaluate.curves import Curves, curves
from prmkit.evaluate.selection import (
    Samples,
    doublings,
    maj_at_k,
    pass_at_k,
    prm_at_k,
    selection_table,
    within_problem_auc,
)
from prmkit.run.results import Figures
from prmkit.stats import Estimate, paired_difference

Accuracies = dict[str, Estimate]
"""Accuracies by rule: ``pass@1``, ``maj@8``, ``prm@8``, ..."""


class SampleFigures(Figures):
    """What the samples of some problems achieve.

    Attributes:
        problems: how many.
        selection: the rules at 1, 2, 4, ... samples and at the most.
        differences: between the rules at the most samples, paired over problems, such as ``prm@8 - maj@8``.
        curves: the rules at every number of samples.
        groups: the selection at the most samples by kind and name, as in ``level``, ``1``.
        rules: the value of each rule at the most samples on each problem, for comparisons.
        correct: the verdict of each solution, by problem.
        within_problem_auc: of the solutions' scores; None without scores.
        calibration: of the solutions' scores as probabilities of being right; None where they are none.
    """

    problems: int
    selection: Accuracies
    differences: Accuracies
    curves: Curves
    groups: dict[str, dict[str, Accuracies]]
    rules: dict[str, dict[str, float]]
    correct: dict[str, list[bool]]
    within_problem_auc: Estimate | None = None
    calibration: Calibration | None = None

    @property
    def most(self) -> int:
        """The number of samples at which the rules are compared."""
        return most_samples(self.selection)


def most_samples(selection: Accuracies) -> int:
    """The largest k of a selection."""
    return max(int(rule.partition("@")[2]) for rule in selection)


def evaluate_samples(problems: Sequence[Samples], *, scored: bool) -> SampleFigures:
    """What the samples of some problems achieve, with the figures of scores only where ``scored``.

    Raises:
        InputError: there is no problem.
    """
    if not problems:
        raise InputError("no problem to evaluate", expected="at least one")
    most = min(len(samples.correct) for samples in problems)
    rules = {
        "pass@1": [pass_at_k(one.correct, 1) for one in problems],
        f"maj@{most}": [maj_at_k(one.classes, one.correct, most) for one in problems],
    }
    if scored:
        rules[f"prm@{most}"] = [prm_at_k(one.scores, one.correct, most) for one in problems]
    first, *others = rules
    differences = {f"{rule} - {first}": paired_difference(rules[rule], rules[first]) for rule in others}
    if scored:
        vote, best = others
        differences[f"{best} - {vote}"] = paired_difference(rules[best], rules[vote])
    steps = [[(score, float(right))] for one in problems for score, right in zip(one.scores, one.correct, strict=True)]
    are_probabilities = all(0.0 <= score <= 1.0 for ((score, _),) in steps)
    return SampleFigures(
        problems=len(problems),
        selection=_selection(problems, doublings(most), scored),
        differences=differences,
        curves=curves(problems, scored=scored),
        groups=_groups(problems, most, scored),
        rules={
            rule: dict(zip((one.problem_id for one in problems), values, strict=True)) for rule, values in rules.items()
        },
        correct={one.problem_id: list(one.correct) for one in problems},
        within_problem_auc=within_problem_auc(problems) if scored else None,
        calibration=calibration(steps) if scored and are_probabilities else None,
    )


def _selection(problems: Sequence[Samples], ks: Sequence[int], scored: bool) -> Accuracies:
    table = selection_table(problems, ks)
    return {name: found for name, found in table.items() if scored or not name.startswith(("prm", "weighted"))}


def _groups(problems: Sequence[Samples], most: int, scored: bool) -> dict[str, dict[str, Accuracies]]:
    """The selection of each level, subject and domain; a kind that does not tell problems apart is left out."""
    members: defaultdict[str, defaultdict[str, list[Samples]]] = defaultdict(lambda: defaultdict(list))
    for samples in problems:
        for kind, name in samples.groups.items():
            members[kind][name].append(samples)
    return {
        kind: {name: _selection(group, [most], scored) for name, group in sorted(named.items())}
        for kind, named in members.items()
        if len(named) > 1
    }
