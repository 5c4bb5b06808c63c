import pytest

from prmkit.attribution import StepInfluence, TokenAttribution


def test_the_delta_is_a_share_of_what_there_is_to_explain() -> None:
    one = TokenAttribution(method="m", values=(), change=-2.0, delta=0.1, ablation=0.0, random_ablation=0.0)
    assert one.relative_delta == pytest.approx(0.05)


def test_steps_are_ranked_by_how_much_they_lower_a_score() -> None:
    influence = StepInfluence(method="m", matrix=((1.0, -0.5), (0.0, -2.0)), change=(1.0, -2.5), gap=0.0)
    assert influence.lowering(1) == [1, 0]
    assert influence.lowering(0) == [0]
