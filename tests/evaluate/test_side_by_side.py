import json
from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.side_by_side import SideBySideResult, side_by_side
from prmkit.run.results import read_result
from prmkit.search.result import ProblemCost


def records(*right: bool, names: str = "abcd") -> list[ProblemCost]:
    cost: dict[str, Any] = {"generations": 4, "generated_tokens": 40, "total_tokens": 80, "flops": None, "seconds": 2.0}
    return [
        ProblemCost(problem=name, right=one, exhausted=False, **cost) for name, one in zip(names, right, strict=False)
    ]


def test_rows_and_paired_differences_by_hand() -> None:
    found = side_by_side({"x": records(True, True, False, True), "y": records(True, False, False, False)}, seed=0)
    x, y = found.strategies
    assert (x.accuracy.value, y.accuracy.value, x.accuracy.n) == (0.75, 0.25, 4)
    assert (x.generated_tokens, x.flops, x.seconds) == (40.0, None, 0.5)
    (difference,) = found.differences
    # Differences 0, 1, 0, 1: mean 1/2, standard deviation 0.577, over 2.
    assert (difference.pair, difference.difference.value) == ("x - y", 0.5)
    assert difference.difference.stderr == pytest.approx(0.2887, abs=1e-4)
    assert difference.low <= 0.5 <= difference.high


def test_the_per_cents_of_an_older_prmkit_become_fractions(tmp_path: Path) -> None:
    row = {"strategy": "x", "accuracy, %": 75.0, "stderr": 25.0, "problems": 4, "exhausted": 1}
    row |= {"generations": 4.0, "generated_tokens": 40.0, "total_tokens": 80.0, "flops": None, "seconds": 0.5}
    difference = {"difference": "x - y", "points": 50.0, "stderr": None, "low": -10.0, "high": 80.0}
    old = {"benchmark": "b", "strategies": [row], "differences": [difference]}
    (tmp_path / "metrics.json").write_text(json.dumps(old))
    read = read_result(tmp_path / "metrics.json", SideBySideResult)
    assert (read.strategies[0].accuracy.value, read.strategies[0].accuracy.stderr) == (0.75, 0.25)
    assert (read.differences[0].pair, read.differences[0].difference.value) == ("x - y", 0.5)
    assert (read.differences[0].low, read.differences[0].high) == (-0.1, 0.8)


def test_only_the_same_problems_compare() -> None:
    with pytest.raises(InputError, match="the runs searched different problems, got 'y'; expected those of x"):
        side_by_side({"x": records(True), "y": records(True, names="b")}, seed=0)
