import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.grade.code.votes import by_behaviour, by_text, normalised
from prmkit.sandbox.isolate import Outcome


def run(*outcomes: object) -> tuple[Outcome, ...]:
    """Numbers are values, words are errors."""
    return tuple(
        Outcome(error=each) if isinstance(each, str) and each else Outcome(value_json=repr(each)) for each in outcomes
    )


def voted(*runs: tuple[Outcome, ...] | None, texts: str = "") -> list[int | None]:
    """Programs of the given texts, by default all different."""
    names = texts or "abcdefgh"
    return by_behaviour([None if each is None else name for each, name in zip(runs, names, strict=False)], runs)


def test_programs_agree_that_do_the_same_on_every_input() -> None:
    assert voted(run(1, 2), run(1, 3), run(1, 2.0), None, run(1, "KeyError"), run(1, "KeyError")) == [
        0,
        1,
        0,
        None,
        2,
        2,
    ]


def test_a_program_that_fails_everywhere_has_no_vote() -> None:
    assert voted(run("KeyError", "KeyError"), run(1, 2), run("KeyError", 2)) == [None, 0, 1]


def test_what_the_machine_lacks_is_no_fault_of_a_program() -> None:
    missing = run("FileNotFoundError", "URLError")
    assert voted(missing, missing, run("FileNotFoundError", 1), run("NameError", "NameError")) == [0, 0, 1, None]


def test_an_input_on_which_all_fail_tells_nothing() -> None:
    assert voted(run("OSError", 1), run("KeyError", 1), run("OSError", 2)) == [0, 0, 1]


def test_where_no_input_tells_anything_the_texts_vote() -> None:
    assert voted(run("ValueError"), run("TypeError"), run("ValueError"), None, texts="aba?") == [0, 1, 0, None]
    assert voted(run("gaierror"), run("NameError"), run("OSError"), texts="aab") == [
        0,
        None,
        1,
    ]  # of those that may be right
    assert voted(None, None) == [None, None]


def test_values_within_the_tolerance_of_a_chain_are_one_class() -> None:
    # 1.0 and 1.0000016 are further apart than the tolerance, and both within it of what lies between them.
    chain = [run(1.0), run(1.0000016), run(1.0000008)]
    assert voted(*chain) == [0, 0, 0]
    assert voted(*chain[:2]) == [0, 1]


OUTCOMES = st.sampled_from([1, 1.0000008, 1.0000016, 2, "KeyError", "OSError"])
RUNS = st.lists(st.none() | st.tuples(OUTCOMES, OUTCOMES).map(lambda pair: run(*pair)), max_size=8)


@given(RUNS, st.randoms())
def test_agreement_does_not_depend_on_the_order(runs: list[tuple[Outcome, ...] | None], chance: random.Random) -> None:
    answers = [None if each is None else f"x = {index % 3}" for index, each in enumerate(runs)]
    order = list(range(len(runs)))
    chance.shuffle(order)
    one = by_behaviour(answers, runs)
    other = by_behaviour([answers[index] for index in order], [runs[index] for index in order])
    found = dict(zip(order, other, strict=True))
    for a in order:
        assert (one[a] is None) == (found[a] is None)
        for b in order:
            assert (one[a] == one[b]) == (found[a] == found[b])
    assert [label for label in dict.fromkeys(one) if label is not None] == list(range(len(set(one) - {None})))


@given(st.lists(st.sampled_from(["ValueError", "OSError", "Exception"]), min_size=1, max_size=6))
def test_somebody_votes_wherever_there_is_a_program(errors: list[str]) -> None:
    assert set(voted(*(run(error) for error in errors))) != {None}


def test_normalised_text_ignores_names_comments_and_layout() -> None:
    one = 'def f(a):\n    """Doc."""\n    total = 0  # start\n    for x in a: total += x\n    return total'
    other = "def f(values: list) -> int:\n    s = 0\n    for v in values:\n        s += v\n    return s"
    assert normalised(one) == normalised(other) != normalised(other.replace("+=", "-="))
    assert by_text([one, None, other, "x"]) == [0, None, 0, 1]


@pytest.mark.parametrize("text", ["no python (", "1 +" * 100_000])
def test_a_text_that_does_not_parse_is_its_own(text: str) -> None:
    assert normalised(f" {text}\n") == text
