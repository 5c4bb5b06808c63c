"""The figures of sampled solutions: selection rules, how they differ, and each by level, subject and domain."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from prmkit.errors import InputError
from prmkit.evaluate.calibration import calibration
from prmkit.evaluate.curves import curves
from prmkit.evaluate.selection import (
    Samples,
    maj_at_k,
    pass_at_k,
    prm_at_k,
    selection_table,
    within_problem_auc,
)
from prmkit.stats import paired_difference


def evaluate_samples(problems: Sequence[Samples], *, scored: bool) -> dict[str, Any]:
    """What the samples of some problems achieve, as JSON.

    Keys: ``problems``; ``selection`` {"pass@1": {value, stderr, n}, "maj@8": ..., "prm@8": ...} at 1, 2, 4, ... samples
    and at the most; ``differences`` paired over problems; ``curves``, the rules at every k (see curves.py); ``groups``
    {"level": {"1": selection, ...}, ...} at the most samples; ``rules``, each rule's value at the most on each problem,
    for comparisons; ``correct`` {problem id: verdict of each solution}. With scores also ``within_problem_auc`` and
    ``calibration`` of the solution's score as the probability that it is right.

    Raises:
        InputError: there is no problem.
    """
    if not problems:
        raise InputError("no problem to evaluate", expected="at least one")
    most = min(len(samples.correct) for samples in problems)
    powers = [1 << exponent for exponent in range(most.bit_length()) if 1 << exponent <= most]
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
    result: dict[str, Any] = {
        "problems": len(problems),
        "selection": _selection(problems, sorted({*powers, most}), scored),
        "differences": {name: difference.as_dict() for name, difference in differences.items()},
        "curves": curves(problems, scored=scored),
        "groups": _groups(problems, most, scored),
        "rules": {
            rule: dict(zip((one.problem_id for one in problems), values, strict=True)) for rule, values in rules.items()
        },
        "correct": {one.problem_id: list(one.correct) for one in problems},
    }
    if scored:
        result["within_problem_auc"] = within_problem_auc(problems).as_dict()
        steps = [
            [(score, float(right))] for one in problems for score, right in zip(one.scores, one.correct, strict=True)
        ]
        if all(0.0 <= score <= 1.0 for ((score, _),) in steps):
            result["calibration"] = calibration(steps)
    return result


def _selection(problems: Sequence[Samples], ks: Sequence[int], scored: bool) -> dict[str, Any]:
    table = selection_table(problems, ks)
    unscored = {name: found for name, found in table.items() if scored or not name.startswith(("prm", "weighted"))}
    return {name: found.as_dict() for name, found in unscored.items()}


def _groups(problems: Sequence[Samples], most: int, scored: bool) -> dict[str, dict[str, Any]]:
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
