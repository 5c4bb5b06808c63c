import pytest

from prmkit.errors import InputError
from prmkit.sources.decontaminate import Benchmarks
from prmkit.tree import Problem

LONG = "A farmer has seven cows and twelve goats and sells half of the goats at the market on Monday morning"


def problem(text: str, id: str = "x") -> Problem:
    return Problem(id=id, prompt=text)


BENCHMARK = Benchmarks([("aime", problem(LONG, "aime-1")), ("aime", problem("What is 2 + 2?", "aime-2"))], n=8)


def test_case_signs_and_spaces_do_not_hide_a_problem() -> None:
    match = BENCHMARK.match(problem("what is  $2+2$"))
    assert match is not None
    assert (match.benchmark, match.problem, match.how) == ("aime", "aime-2", "exact")


def test_enough_words_in_a_row_are_a_match_and_fewer_are_none() -> None:
    shared = " ".join(LONG.split()[3:11])
    match = BENCHMARK.match(problem(f"Somebody said: {shared}! Why?"))
    assert match is not None
    assert (match.problem, match.how, match.text) == ("aime-1", "8-gram", shared.lower())
    assert BENCHMARK.match(problem(" ".join(LONG.split()[3:10]) + " perhaps")) is None


def test_a_short_problem_matches_exactly_or_not_at_all() -> None:
    assert BENCHMARK.match(problem("What is 2 + 2 + 3?")) is None


def test_a_problem_that_comes_again_matches_as_it_did() -> None:
    known = Benchmarks([("aime", problem(LONG, "aime-1")), ("aime", problem("What is 2 + 2?", "aime-2"))], n=8)
    texts = ["What is 3 + 3?", "What is 2 + 2?", f"{LONG}, no?", "What is 2 + 2?", "What is 3 + 3?", f"{LONG}, no?"]
    found = [match and match.problem for match in (known.match(problem(text)) for text in texts)]
    assert found == [None, "aime-2", "aime-1", "aime-2", None, "aime-1"]


def test_nothing_to_compare_with_is_refused() -> None:
    with pytest.raises(InputError, match="no benchmark"):
        Benchmarks([])
    with pytest.raises(InputError, match="illegal n-gram"):
        Benchmarks([("a", problem("x"))], n=0)
