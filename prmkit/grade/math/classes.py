"""From how equal answers are in pairs to the classes that they vote in."""

from collections.abc import Callable, Sequence
from itertools import combinations

from prmkit.grade.math.agreement import Agreement


def classes_of(details: Sequence[int], agreement: Callable[[int, int], Agreement]) -> list[int]:
    """The class of each answer, numbered from 0 by first appearance; it does not depend on the order of the answers.

    Answers that are the same share a class, and so do all that are linked by such. A class that is alike another which
    says more (5 and 5 cm) joins it, and all others that say more, if these are alike: 5, x = 5 and 5 cm are one class,
    but where 5 cm and 5 km were said, 5 is neither.

    Args:
        details: how much each answer says (``forms.detail``).
        agreement: of two answers by their places, the first one the smaller.
    """
    count = len(details)
    alike: list[tuple[int, int]] = []
    root = list(range(count))
    for other in range(count):
        for one in range(other):
            found = agreement(one, other)
            if found is Agreement.SAME:
                _join(root, one, other)
            elif found is Agreement.ALIKE:
                alike.append((one, other) if details[one] < details[other] else (other, one))
    fuller: dict[int, set[int]] = {}
    linked: set[frozenset[int]] = set()
    for vague, full in alike:
        ends = _root(root, vague), _root(root, full)
        linked.add(frozenset(ends))
        if details[vague] != details[full]:
            fuller.setdefault(ends[0], set()).add(ends[1])
    for vague, found_fuller in fuller.items():
        others = found_fuller - {vague}
        if all(frozenset(pair) in linked for pair in combinations(others, 2)):
            for full in others:
                _join(root, vague, full)
    numbers: dict[int, int] = {}
    return [numbers.setdefault(_root(root, place), len(numbers)) for place in range(count)]


def _root(root: list[int], place: int) -> int:
    while root[place] != place:
        root[place] = root[root[place]]
        place = root[place]
    return place


def _join(root: list[int], one: int, other: int) -> None:
    root[_root(root, other)] = _root(root, one)
