import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.generate.likely import Likely
from prmkit.score.verdicts import place_of_verdict, probability_of_yes, verdict_in


def tokens(**logprobs: float) -> list[Likely]:
    return [Likely(text, math.log(value)) for text, value in logprobs.items()]


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ("So \\boxed{yes}", True),
        ("\\boxed{ No }.", False),
        ("\\boxed{no}, but then \\boxed{YES}", True),
        ("\\boxed{\nyes\n}", True),
        ("yes", None),
        ("\\boxed{maybe}", None),
        ("", None),
    ],
)
def test_the_last_verdict_counts(answer: str, verdict: bool | None) -> None:
    assert verdict_in(answer) == verdict


@pytest.mark.parametrize(
    ("pieces", "place"),
    [
        (["So ", "\\boxed", "{", "yes", "}"], (3, "")),
        (["\\boxed{", " ", "no", "}"], (2, "")),
        (["\\boxed", "{yes", "}"], (1, "{")),
        (["\\boxed{", " n", "o}"], (1, " ")),
        (["\\boxed{no}", " \\boxed", "{", "ye", "s", "}"], (3, "")),
        (["", "\\boxed{", "", "yes}"], (3, "")),
        (["yes"], None),
        ([], None),
    ],
)
def test_the_place_of_a_verdict_is_the_token_in_which_its_word_begins(
    pieces: list[str], place: tuple[int, str] | None
) -> None:
    assert place_of_verdict(pieces) == place


def test_the_probability_is_of_yes_against_no() -> None:
    assert probability_of_yes(tokens(yes=0.6, no=0.2, maybe=0.2), "") == pytest.approx(0.75)


def test_every_token_that_begins_a_word_speaks_for_it() -> None:
    found = tokens(**{"Yes": 0.3, " yes": 0.1, "y": 0.1, "NO}": 0.2, "n": 0.05, "}": 0.2, " ": 0.01, "nay": 0.04})
    assert probability_of_yes(found, "") == pytest.approx(0.5 / 0.75)


def test_what_stands_in_front_of_the_word_stands_in_front_of_each() -> None:
    found = tokens(**{"{yes": 0.4, "{no": 0.4, "yes": 0.1, "{": 0.1})
    assert probability_of_yes(found, "{") == pytest.approx(0.5)
    assert probability_of_yes(tokens(**{" y": 0.3, "n": 0.3}), " ") == 1.0


def test_a_word_that_is_not_among_the_likeliest_counts_as_impossible() -> None:
    assert probability_of_yes(tokens(no=0.4, maybe=0.6), "") == 0.0
    assert probability_of_yes(tokens(maybe=1.0), "") is None
    assert probability_of_yes([], "") is None


@given(
    st.lists(st.tuples(st.text(st.sampled_from("yesno {"), max_size=4), st.floats(-20, 0))), st.sampled_from(["", "{"])
)
def test_it_is_a_probability_whatever_is_likely(found: list[tuple[str, float]], lead: str) -> None:
    value = probability_of_yes([Likely(*each) for each in found], lead)
    assert value is None or 0 <= value <= 1
