from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import pytest

from prmkit.grade.math.algebra import Known, Solver
from prmkit.grade.math.equality import LATE, Request, Workers

NONE = Fraction(0)


class Replies(Workers):
    """Workers that know their replies, and note what they were asked."""

    def __init__(self, replies: dict[Request, Any]) -> None:
        super().__init__()
        self.replies, self.asked = replies, []

    def ask(self, requests: Sequence[Request], deadline: float | None = None) -> list[Any]:
        self.asked += requests
        return [self.replies[request] for request in requests]


def value(real: str, imaginary: str = "0") -> dict[str, Any]:
    return {"values": [[real, imaginary]], "name": ""}


def equal(solver: Solver, one: str, other: str | Fraction, within: Fraction = NONE) -> tuple[bool, bool]:
    return solver.solved([lambda known: known.equal(one, other, within)], 0.0)[0]


def test_each_expression_is_asked_for_once() -> None:
    workers = Replies({("values", text): value(text) for text in ("1", "2", "3")})
    solver = Solver(workers)
    comparisons = [
        lambda known, pair=pair: known.equal(*pair, NONE) for pair in (("1", "2"), ("2", "3"), ("1", "3"), ("2", "2"))
    ]
    assert solver.solved(comparisons, 0.0) == [(False, False), (False, False), (False, False), (True, False)]
    assert sorted(workers.asked) == [("values", "1"), ("values", "2"), ("values", "3")]


def test_what_ran_out_of_time_is_equal_to_nothing_and_said() -> None:
    solver = Solver(Replies({("values", "a"): LATE, ("values", "b"): value("1")}))
    assert equal(solver, "a", "b") == (False, True)
    assert not solver.is_nonsense("a")


def test_nonsense_is_known_once_it_was_looked_at() -> None:
    solver = Solver(Replies({("values", "a"): None, ("values", "b"): value("1")}))
    assert not solver.is_nonsense("a")
    assert equal(solver, "a", "b") == (False, False)
    assert solver.is_nonsense("a")


@pytest.mark.parametrize(
    ("one", "other", "within", "same"),
    [
        ("0.3333333333333333333333333333333333333333", Fraction(1, 3), NONE, True),
        ("1.41421356237309504880168872420969807857", Fraction(1414214, 10**6), Fraction(1, 10**6), True),
        ("1.41421356237309504880168872420969807857", Fraction(1414214, 10**6), NONE, False),
        ("1e-40", Fraction(0), NONE, False),
        ("Infinity", Fraction(1), NONE, False),
        ("2", Fraction(10**4000), NONE, False),  # too large to be worth a look
    ],
)
def test_an_expression_against_a_number(one: str, other: Fraction, within: Fraction, same: bool) -> None:
    assert equal(Solver(Replies({("values", one): value(one)})), one, other, within) == (same, False)


def test_values_count_where_variables_are_positive_and_else_where_both_are_real() -> None:
    positive = [["1", "0"], ["2", "0"], ["3", "1"]]
    replies = {
        ("values", "a"): {"values": [*positive, ["4", "0"], ["0", "5"], None], "name": ""},
        ("values", "like a"): {"values": [*positive, ["4", "0"], ["0", "-5"], ["6", "0"]], "name": ""},
        ("values", "not a"): {"values": [*positive, ["-4", "0"], ["0", "5"], None], "name": ""},
        ("values", "nowhere"): {"values": [["1", "0"], None, ["3", "1"], None, None, None], "name": ""},
    }
    solver = Solver(Replies(replies))
    assert equal(solver, "a", "like a") == (True, False)
    assert equal(solver, "a", "not a") == (False, False)
    assert equal(solver, "a", "nowhere") == (False, False)


def test_what_has_no_values_is_compared_by_its_structure() -> None:
    named = {("values", name): {"values": [], "name": name[0]} for name in ("f1", "f2", "g")}
    solver = Solver(Replies(named))
    assert equal(solver, "f1", "f2") == (True, False)
    assert equal(solver, "f1", "g") == (False, False)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    workers = Workers(count=1, seconds=60.0, budget=120.0)
    yield workers
    workers.close()


def test_equations_and_sets_with_real_workers(workers: Workers) -> None:
    def comparisons(known: Known) -> list[bool]:
        return [
            known.equivalent("2x+4y-3=0", r"y=-\frac{1}{2}x+\frac{3}{4}", equations=True),
            known.equivalent("x^2+1=0", "x^2+4=0", equations=True),
            known.equivalent("(1,2)", "1<x<2", equations=False),
            known.equal("x+1", "1+x", NONE),
            known.equal("|x|", "x", NONE),
        ]

    assert Solver(workers).solved([comparisons], workers.deadline()) == [([True, False, True, True, False], False)]
