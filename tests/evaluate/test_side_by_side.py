from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.side_by_side import side_by_side


def records(*right: bool, names: str = "abcd") -> list[dict[str, Any]]:
    cost = {"generations": 4, "generated_tokens": 40, "total_tokens": 80, "flops": None, "seconds": 2.0}
    return [
        {"problem": name, "right": one, "exhausted": False, **cost} for name, one in zip(names, right, strict=False)
    ]


def test_rows_and_paired_differences_by_hand() -> None:
    found = side_by_side({"x": records(True, True, False, True), "y": records(True, False, False, False)}, seed=0)
    x, y = found["strategies"]
    assert (x["accuracy, %"], y["accuracy, %"], x["problems"]) == (75.0, 25.0, 4)
    assert (x["generated_tokens"], x["flops"], x["seconds"]) == (40.0, None, 0.5)
    (difference,) = found["differences"]
    # Differences 0, 100, 0, 100: mean 50, standard deviation 57.7, over 2.
    assert (difference["difference"], difference["points"]) == ("x - y", 50.0)
    assert difference["stderr"] == pytest.approx(28.87, abs=0.01)
    assert difference["low"] <= 50.0 <= difference["high"]


def test_only_the_same_problems_compare() -> None:
    with pytest.raises(InputError, match="the runs searched different problems, got 'y'; expected those of x"):
        side_by_side({"x": records(True), "y": records(True, names="b")}, seed=0)
