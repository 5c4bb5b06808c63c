import pytest

from prmkit.annotate import ESTIMATORS, bind, config_class
from prmkit.annotate.monte_carlo import MonteCarloConfig
from prmkit.errors import InputError
from prmkit.session import Session
from tests.contracts.estimator import EstimatorContract


class TestMonteCarlo(EstimatorContract):
    name = "monte-carlo"


class TestBinarySearch(EstimatorContract):
    name = "binary-search"


class TestOmega(EstimatorContract):
    name = "omega"


class TestJudge(EstimatorContract):
    name = "judge"


class TestDotpath(EstimatorContract):
    name = "prmkit.annotate.monte_carlo:monte_carlo"


def test_every_estimator_keeps_the_contract() -> None:
    assert {each.name for each in EstimatorContract.__subclasses__()} >= ESTIMATORS.builtin.keys()


async def without_config(session: Session) -> None: ...


def test_a_config_is_read_off_the_second_parameter() -> None:
    assert config_class("monte-carlo") is MonteCarloConfig
    with pytest.raises(InputError, match="the label estimator takes no config"):
        config_class("tests.annotate.test_init:without_config")


def test_wrong_options_and_names_are_said() -> None:
    with pytest.raises(InputError, match=r"wrong options for estimator omega \(alpha: .*expected rollouts, searches"):
        bind("omega", {"alpha": 2})
    with pytest.raises(InputError, match="Did you mean binary-search"):
        bind("binary", {})
