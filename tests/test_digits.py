from hypothesis import given
from hypothesis import strategies as st

from prmkit.digits import LONG, integer


@given(st.integers(0, 10**50), st.sampled_from([0, 3_950, 4_300, 6_000]))
def test_any_number_of_digits_is_an_integer(number: int, zeros: int) -> None:
    assert integer(f"{number}{'0' * zeros}") == number * 10**zeros


def test_what_python_does_not_take_is_long() -> None:
    assert LONG.search("x" + "1" * 4301)
    assert not LONG.search("1" * 4300)
