import asyncio
from typing import Literal

import pytest

from prmkit.errors import InputError
from prmkit.generate.meter import Meter
from prmkit.score import ScorerConfig, load_scorer
from prmkit.score.aggregate import default_aggregation
from prmkit.score.ensemble import EnsembleScorer
from prmkit.tree import Problem, StepTree
from tests.fakes import TableScorer

TREE = StepTree.from_steps(Problem(id="p", prompt="?"), ["a", "b"])
MEMBERS = [TableScorer({"a": 0.9, "b": 0.2}), TableScorer({"a": 0.6, "b": 0.5}), TableScorer({"a": 0.3, "b": 0.8})]


@pytest.mark.parametrize(
    ("consensus", "expected"), [("mean", [0.6, 0.5]), ("min", [0.3, 0.2]), ("majority", [2 / 3, 2 / 3])]
)
def test_scores_come_together(consensus: Literal["mean", "min", "majority"], expected: list[float]) -> None:
    scores = asyncio.run(EnsembleScorer(MEMBERS, consensus=consensus).score(TREE, [0, 1]))
    assert scores.values == pytest.approx(expected)
    assert (scores.tokens, scores.windowed) == (6, 0)  # TableScorer counts a token a step


def test_the_threshold_of_the_majority_counts_as_right() -> None:
    scorer = EnsembleScorer(MEMBERS, consensus="majority", threshold=0.8)
    assert asyncio.run(scorer.score(TREE, [0, 1])).values == pytest.approx([1 / 3, 1 / 3])


def test_a_path_fits_if_it_fits_every_prm() -> None:
    class Narrow(TableScorer):
        def fits(self, tree: StepTree, node: int) -> bool:
            return node == 0

    scorer = EnsembleScorer([*MEMBERS, Narrow({})], consensus="min")
    assert [scorer.fits(TREE, node) for node in (0, 1)] == [True, False]


def test_the_error_of_a_member_is_raised_as_it_is() -> None:
    class Broken(TableScorer):
        async def score(self, tree, nodes):  # type: ignore[no-untyped-def]
            raise InputError("too long")

    with pytest.raises(InputError, match="too long"):
        asyncio.run(EnsembleScorer([*MEMBERS, Broken({})], consensus="mean").score(TREE, [0]))


def test_a_recipe_names_the_members() -> None:
    config = {
        "engine": {
            "name": "ensemble",
            "members": [{"engine": {"name": "shortest"}}, {"engine": {"name": "longest"}}],
            "consensus": "mean",
        }
    }
    scorer, source = load_scorer(ScorerConfig.model_validate(config))
    assert asyncio.run(scorer.score(TREE, [0, 1])).values == pytest.approx([0.5, 0.5])
    assert default_aggregation(source) == "last"


def test_the_meter_has_what_all_members_read_where_all_count() -> None:
    class Counting(TableScorer):
        def __init__(self) -> None:
            super().__init__({})
            self.meter = Meter()

    first, second = Counting(), Counting()
    meter = EnsembleScorer([first, second], consensus="mean").meter
    assert meter is not None
    first.meter.add(read=3)
    second.meter.add(read=4)
    assert meter.read == 7
    assert EnsembleScorer([first, *MEMBERS], consensus="mean").meter is None
