"""The figures of sampled solutions: selection rules, how they differ, and each by level, subject and domain."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

from prmkit.errors import InputError
from prmkit.evaluate.calibration import Calibration, calibration
from prmkit.evaluate.curves import Curves, curves
from prmkit.evaluate.selection import (
    Samples,
    doublings,
    pass_at_k,
    selection_table,
    with_samples,
    within_problem_auc,
)
from prmkit.run.results import Figures
from prmkit.stats import Estimate, mean, paired_difference

Accuracies = dict[str, Estimate]
"""Accuracies by rule: ``pass@1``, ``maj@8``, ``prm@8``, ..."""


class FewerSamples(Figures):
    """That some problems have fewer samples than others. Such a problem counts up to the k that it has.

    Attributes:
        problems: how many have fewer than ``most``.
        of: how many there are.
        fewest: samples of one of them.
        most: samples of a problem.
    """

    problems: int
    of: int
    fewest: int
    most: int

    def __str__(self) -> str:
        """A warning."""
        return (
            f"{self.problems} of {self.of} problems have fewer samples than {self.most}, the fewest {self.fewest}: "
            "a figure at k counts the problems that have k (n)"
        )


class SampleFigures(Figures):
    """What the samples of some problems achieve.

    Attributes:
        problems: how many.
        fewer: where some of them have fewer samples than others; None where all have as many.
        selection: the rules at 1, 2, 4, ... samples, at ``most``, and at the fewest and the most of any problem.
        base: ``pass@k`` at the same k by the base tests alone, where problems tell them apart (HumanEval+, MBPP+). All
            other figures are of programs that pass the plus tests as well.
        differences: between the rules at ``most`` samples, paired over problems, such as ``prm@8 - maj@8``.
        curves: the rules at every number of samples.
        groups: the selection at ``most`` samples by kind and name, as in ``level``, ``1``.
        rules: the value of each rule at ``most`` samples on each problem that has them, for comparisons.
        correct: the verdict of each solution, by problem.
        within_problem_auc: of the solutions' scores; None without scores.
        calibration: of the solutions' scores as probabilities of being right; None where they are none.
    """

    problems: int
    fewer: FewerSamples | None = None
    selection: Accuracies
    base: Accuracies | None = None
    differences: Accuracies
    curves: Curves
    groups: dict[str, dict[str, Accuracies]]
    rules: dict[str, dict[str, float]]
    correct: dict[str, list[bool]]
    within_problem_auc: Estimate | None = None
    calibration: Calibration | None = None

    @property
    def most(self) -> int:
        """The samples at which rules are compared: the most that half of the problems, or more, have."""
        return max(int(rule.partition("@")[2]) for rule in self.rules)


def evaluate_samples(problems: Sequence[Samples], *, scored: bool) -> SampleFigures:
    """What the samples of some problems achieve, with the figures of scores only where ``scored``.

    Raises:
        InputError: there is no problem.
    """
    if not problems:
        raise InputError("no problem to evaluate", expected="at least one")
    sizes = sorted((len(samples.correct) for samples in problems), reverse=True)
    most = sizes[(len(sizes) - 1) // 2]
    ks = sorted({sizes[-1], most, *doublings(sizes[0])})
    compared = with_samples(problems, most)
    at_every_k = curves(problems, scored=scored)  # first, since it says how far it is; the others ask for the same
    rules = _rules(compared, most, scored)
    steps = [[(score, float(right))] for one in problems for score, right in zip(one.scores, one.correct, strict=True)]
    are_probabilities = all(0.0 <= score <= 1.0 for ((score, _),) in steps)
    return SampleFigures(
        problems=len(problems),
        fewer=_fewer(sizes),
        selection=_selection(problems, ks, scored),
        base=_on_base(problems, ks),
        differences=_differences(rules),
        curves=at_every_k,
        groups=_groups(problems, most, scored),
        rules={
            **{rule: _by_problem(compared, values) for rule, values in rules.items()},
            "pass@1": _by_problem(problems, [one.pass_at(1) for one in problems]),
        },
        correct={one.problem_id: list(one.correct) for one in problems},
        within_problem_auc=within_problem_auc(problems) if scored else None,
        calibration=calibration(steps) if scored and are_probabilities else None,
    )


def _fewer(sizes: Sequence[int]) -> FewerSamples | None:
    """Of the numbers of samples, the largest first."""
    fewer = [size for size in sizes if size < sizes[0]]
    return FewerSamples(problems=len(fewer), of=len(sizes), fewest=sizes[-1], most=sizes[0]) if fewer else None


def _rules(problems: Sequence[Samples], most: int, scored: bool) -> dict[str, list[float]]:
    """Each rule on each problem: one sample, the vote, and the best scored."""
    rules = {
        "pass@1": [one.pass_at(1) for one in problems],
        f"maj@{most}": [one.maj_at(most) for one in problems],
    }
    if scored:
        rules[f"prm@{most}"] = [one.prm_at(most) for one in problems]
    return rules


def _differences(rules: Mapping[str, Sequence[float]]) -> Accuracies:
    """Each rule less each before it, the last pair last."""
    names = list(rules)
    pairs = [(later, names[0]) for later in names[1:]] + [(later, names[1]) for later in names[2:]]
    return {f"{one} - {other}": paired_difference(rules[one], rules[other]) for one, other in pairs}


def _by_problem(problems: Sequence[Samples], values: Sequence[float]) -> dict[str, float]:
    return dict(zip((one.problem_id for one in problems), values, strict=True))


def _on_base(problems: Sequence[Samples], ks: Sequence[int]) -> Accuracies | None:
    found = [one.base for one in problems if one.base is not None]
    means = {
        f"pass@{k}": mean([pass_at_k(base, k) for base in found if len(base) >= k])
        for k in ks
        if any(len(base) >= k for base in found)
    }
    return means or None


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
        kind: {name: _selection(group, _at(group, most), scored) for name, group in sorted(named.items())}
        for kind, named in members.items()
        if len(named) > 1
    }


def _at(problems: Sequence[Samples], k: int) -> list[int]:
    """k, if one of the problems has so many samples."""
    return [k] if any(len(samples.correct) >= k for samples in problems) else []
