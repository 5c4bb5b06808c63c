import subprocess
import sys

import pytest
from pydantic import ValidationError

from prmkit.grade.config import DEFAULT, GradingConfig
from prmkit.sandbox.policy import STRICT, Policy


def test_nothing_runs_without_isolation_unless_the_user_says_so() -> None:
    assert GradingConfig().policy == STRICT == Policy(unsafe_local=False)
    assert GradingConfig(unsafe_local=True).policy == Policy(unsafe_local=True)


def test_equal_configs_are_one_key_and_others_are_others() -> None:
    keys = {GradingConfig(), GradingConfig(grader="math-verify", vote="behaviour", unsafe_local=False), DEFAULT}
    assert len(keys) == 1
    keys |= {GradingConfig(grader="qwen"), GradingConfig(vote="text"), GradingConfig(unsafe_local=True)}
    assert len(keys) == 4


@pytest.mark.parametrize(
    ("given", "named"),
    [({"grader": "mine"}, "grader"), ({"vote": "majority"}, "vote"), ({"relation": "qwen"}, "relation")],
)
def test_what_it_does_not_know_is_refused_by_name(given: dict[str, str], named: str) -> None:
    with pytest.raises(ValidationError) as refused:
        GradingConfig.model_validate(given)
    assert [error["loc"] for error in refused.value.errors()] == [(named,)]


def test_a_config_is_not_changed_once_it_is_made() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        DEFAULT.unsafe_local = True  # type: ignore[misc]


def test_it_imports_neither_what_compares_answers_nor_what_runs_programs() -> None:
    program = "import sys, prmkit.grade.config; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "sympy", "numpy", "math_verify", "prmkit.sandbox.processes"} & set(loaded)
