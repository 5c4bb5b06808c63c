from typing import Any

import pytest

from prmkit.evaluate.anytime import anytime
from prmkit.evaluate.selection import prm_at_k
from tests.evaluate.test_select import tree


def record(**more: Any) -> dict[str, Any]:
    cost = {"generations": 4, "generated_tokens": 40, "total_tokens": 80, "flops": None, "seconds": 2.0}
    return cost | {"parts": [], "checkpoints": []} | more


def test_independent_parts_tell_the_accuracy_of_fewer() -> None:
    # Four samples, right ones scored 1st and 4th: the exact expectation is known, and the curve must agree with it.
    answers = [("4", [0.9]), ("5", [0.8]), ("5", [0.7]), ("4", [0.6])]
    found = anytime([tree(answers)], [record(parts=[[0], [1], [2], [3]])], rule="best", how="last")
    exact = [100 * prm_at_k([0.9, 0.8, 0.7, 0.6], [True, False, False, True], k) for k in (1, 2, 4)]
    assert found["kind"] == "parts"
    assert [point["generations"] for point in found["points"]] == [1, 2, 4]
    assert [point["accuracy, %"] for point in found["points"]] == pytest.approx(exact, abs=15)  # 64 random orders
    assert found["points"][-1]["accuracy, %"] == 100.0
    assert found["points"][0]["flops"] is None
    assert found["points"][0]["seconds"] == 0.5


def test_checkpoints_tell_what_was_known_then() -> None:
    answers = [("5", [0.3]), ("4", [0.9])]
    checkpoints = [
        {**record(generations=1, generated_tokens=10, seconds=0.5), "leaves": [0]},
        {**record(generations=3, generated_tokens=30, seconds=1.5), "leaves": [1]},
    ]
    found = anytime([tree(answers)], [record(checkpoints=checkpoints)], rule="best", how="last")
    assert found["kind"] == "checkpoints"
    assert [(point["generations"], point["accuracy, %"]) for point in found["points"]] == [(1, 0.0), (3, 100.0)]


def test_any_other_run_is_one_point() -> None:
    found = anytime([tree([("4", [0.9])])], [record()], rule="best", how="last")
    assert found["kind"] == "point"
    assert [(point["generations"], point["accuracy, %"]) for point in found["points"]] == [(4, 100.0)]
