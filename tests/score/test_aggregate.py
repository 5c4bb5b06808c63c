import pytest

from prmkit.errors import InputError
from prmkit.score.aggregate import aggregate, default_aggregation, neutral


@pytest.mark.parametrize(
    ("how", "expected"), [("last", 0.8), ("min", 0.5), ("prod", 0.36), ("mean", 2.2 / 3), ("sum", 2.2)]
)
def test_values_by_hand(how: str, expected: float) -> None:
    # 0.9 * 0.5 * 0.8 = 0.36; 0.9 + 0.5 + 0.8 = 2.2
    assert aggregate([0.9, 0.5, 0.8], how) == pytest.approx(expected, abs=1e-15)  # type: ignore[arg-type]


def test_no_steps_have_no_score() -> None:
    with pytest.raises(InputError, match="a solution without steps"):
        aggregate([], "min")


def test_a_solution_of_which_nothing_was_read_yet_has_what_changes_no_other() -> None:
    # 0 + x = x, 1 * x = x, and the least of 1 and a probability is the probability.
    assert {how: neutral(how) for how in ("sum", "prod", "min", "mean", "last")} == {  # type: ignore[arg-type]
        "sum": 0.0,
        "prod": 1.0,
        "min": 1.0,
        "mean": 1.0,
        "last": 1.0,
    }


def test_the_default_follows_the_labels() -> None:
    assert {source: default_aggregation(source) for source in ("monte-carlo", "human", "judge")} == {
        "monte-carlo": "last",
        "human": "prod",
        "judge": "prod",
    }
    with pytest.raises(InputError, match="no default aggregation"):
        default_aggregation("astrology")
