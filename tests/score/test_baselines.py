import asyncio

import pytest

from prmkit.score import PrmConfig, Scorer, load_scorer
from prmkit.score.aggregate import default_aggregation
from prmkit.score.baselines import BaselineScorer
from prmkit.score.config import BaselineEngine
from tests.contracts.scorer import NODES, ScorerContract, forked


class TestRandom(ScorerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Scorer:
        return BaselineScorer("random")

    # A baseline reads any length, and answers before anyone can cancel.
    test_a_cancelled_request_harms_no_other = None  # type: ignore[assignment]
    test_a_path_longer_than_the_context_is_refused_and_harms_no_other = None  # type: ignore[assignment]


def values(engine: Scorer) -> tuple[float, ...]:
    return asyncio.run(engine.score(forked(), NODES)).values


def test_the_lot_is_fixed_by_the_seed_and_the_path() -> None:
    assert values(BaselineScorer("random")) == values(BaselineScorer("random"))
    assert values(BaselineScorer("random", seed=1)) != values(BaselineScorer("random"))
    assert len(set(values(BaselineScorer("random")))) == len(NODES)


def test_length_is_that_of_the_path_in_characters() -> None:
    # Paths of forked, in the order of NODES: "a b" "c" "a" = 5, "a b" = 3, "x y" = 3, "a b" "b b b" = 8, "a b" "c" = 4.
    assert values(BaselineScorer("shortest")) == pytest.approx([1 / 6, 1 / 4, 1 / 4, 1 / 9, 1 / 5])
    assert values(BaselineScorer("longest")) == pytest.approx([5 / 6, 3 / 4, 3 / 4, 8 / 9, 4 / 5])


def test_a_recipe_names_a_baseline_and_gets_the_last_score() -> None:
    scorer, source = load_scorer(PrmConfig(engine=BaselineEngine(name="shortest")))
    assert values(scorer)[0] == pytest.approx(1 / 6)
    assert default_aggregation(source) == "last"
