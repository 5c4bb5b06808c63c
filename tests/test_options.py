from typing import Annotated, Any

import pytest
from pydantic import Field

from prmkit.errors import InputErrors
from prmkit.options import checked_options, options_of

Width = Annotated[int, Field(ge=2, description="a beam of one is greedy")]


def part(first: str, *, n: int, width: Width = 4, name: str = "x") -> None:
    """Something with options."""


def plain(first: str) -> None:
    """Something without."""


def check(given: dict[str, Any]) -> dict[str, Any]:
    return checked_options(part, given, where="part p", key="a.options")


def test_options_are_the_parameters_behind_the_first() -> None:
    assert list(options_of(part).model_fields) == ["n", "width", "name"]


def test_what_is_not_given_has_its_default() -> None:
    assert check({"n": 3}) == {"n": 3, "width": 4, "name": "x"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "part p: missing a.options.n; expected a value for it; options: n, width, name"),
        ({"n": 1, "m": 2}, "part p: unknown a.options.m, got 2; expected one of n, width, name"),
        (
            {"n": 1, "width": 1},
            "part p: illegal a.options.width, got 1; expected greater than or equal to 2. "
            "Here a beam of one is greedy.",
        ),
        ({"n": 1, "name": 5}, "part p: illegal a.options.name, got 5; expected a valid string"),
    ],
)
def test_a_mistake_is_told_with_its_key(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputErrors) as error:
        check(given)
    assert str(error.value) == message


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(InputErrors) as error:
        check({"width": 0, "m": 2})
    assert len(error.value.errors) == 3


def test_a_part_without_options_says_so() -> None:
    assert checked_options(plain, {}, where="part p", key="a") == {}
    with pytest.raises(InputErrors, match=r"unknown a\.n, got 1; expected none: it has no options"):
        checked_options(plain, {"n": 1}, where="part p", key="a")
