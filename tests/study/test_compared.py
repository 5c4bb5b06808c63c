from prmkit.study.compared import within_limits
from prmkit.study.recipe import WithinConfig

ROWS = [
    {"strategy": "best-of-n", "n": 4, "seconds": 0.1, "accuracy": 60.0},
    {"strategy": "best-of-n", "n": 16, "seconds": 0.4, "accuracy": 70.0},
    {"strategy": "mcts", "n": 4, "seconds": 0.3, "accuracy": 55.0},
    {"strategy": "mcts", "n": 16, "seconds": None, "accuracy": None},
]


def test_at_a_limit_each_line_is_given_its_largest_run_that_fits() -> None:
    rows = list(within_limits(ROWS, WithinConfig(cost="seconds", limits=[0.2, 0.4]), "strategy", "accuracy"))
    assert rows == [
        {"seconds, at most": 0.2, "strategy": "best-of-n", "seconds": 0.1, "accuracy": 60.0, "n": 4},
        {"seconds, at most": 0.2, "strategy": "mcts", "seconds": None, "accuracy": None},
        {"seconds, at most": 0.4, "strategy": "best-of-n", "seconds": 0.4, "accuracy": 70.0, "n": 16},
        {"seconds, at most": 0.4, "strategy": "mcts", "seconds": 0.3, "accuracy": 55.0, "n": 4},
    ]
