from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from prmkit.grade.math.agreement import ALIKE, DIFFERENT, SAME, Agreement
from prmkit.grade.math.classes import classes_of


def by_value(answers: Sequence[tuple[int, str]]) -> list[int]:
    """Numbers with or without a unit: the units must not conflict."""

    def agreement(one: int, other: int) -> Agreement:
        (first, unit), (second, other_unit) = answers[one], answers[other]
        if first != second or (unit and other_unit and unit != other_unit):
            return DIFFERENT
        return SAME if unit == other_unit else ALIKE

    return classes_of([2 if unit else 0 for _, unit in answers], agreement)


def test_a_bare_number_joins_the_only_quantity_that_is_like_it() -> None:
    assert by_value([(5, ""), (5, "cm"), (6, "cm")]) == [0, 0, 1]
    assert by_value([(5, ""), (5, "cm"), (5, "km")]) == [0, 1, 2]  # which one was meant?
    assert by_value([(5, ""), (5, ""), (5, "cm"), (5, "cm")]) == [0, 0, 0, 0]


def test_a_bare_number_joins_all_that_are_like_it_and_each_other() -> None:
    assert classes_of([0, 2, 2], lambda *_: ALIKE) == [0, 0, 0]  # 5, x = 5, 5 cm
    assert classes_of([0, 2, 2], lambda one, _: DIFFERENT if one else ALIKE) == [0, 1, 2]


def test_what_is_linked_is_one_class_whatever_stands_between() -> None:
    near = [0, 2, 1]  # 0 is the same as 1, and 1 as 2
    assert classes_of([0, 0, 0], lambda one, other: SAME if abs(near[one] - near[other]) < 2 else DIFFERENT) == [
        0,
        0,
        0,
    ]


def test_answers_that_each_say_something_else_stay_apart() -> None:
    assert classes_of([2, 2], lambda *_: ALIKE) == [0, 1]
    assert classes_of([], lambda *_: SAME) == []


@given(st.permutations([(5, ""), (5, "cm"), (5, "km"), (6, ""), (6, "cm"), (7, "m"), (7, ""), (7, "m"), (8, "")]))
def test_classes_do_not_depend_on_the_order(answers: Sequence[tuple[int, str]]) -> None:
    classes = by_value(answers)
    groups = {
        frozenset(answer for answer, label in zip(answers, classes, strict=True) if label == one) for one in classes
    }
    assert groups == {
        frozenset({(5, "")}), frozenset({(5, "cm")}), frozenset({(5, "km")}), frozenset({(6, ""), (6, "cm")}),
        frozenset({(7, ""), (7, "m")}), frozenset({(8, "")}),
    }  # fmt: skip
    firsts = [classes.index(label) for label in range(max(classes) + 1)]
    assert firsts == sorted(firsts)
