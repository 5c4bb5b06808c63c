import asyncio
import math
from collections.abc import Sequence

import pytest

from prmkit.errors import RunError
from prmkit.models.flops import ForwardFlops
from prmkit.score import Scores
from prmkit.score.rows import Rows, RowScorer
from prmkit.tree import Problem, StepTree
from tests.fakes import char_encoder

FLOPS = ForwardFlops(per_token=1.0, per_pair=0.0)


class Cache:
    """An engine whose logit for a token is its position, and that keeps whole blocks of 4 tokens."""

    def __init__(self) -> None:
        self.known: set[tuple[int, ...]] = set()
        self.asked: list[int] = []

    async def read(self, ids: Sequence[int]) -> Rows:
        self.asked.append(len(ids))
        blocks = range(4, len(ids), 4)  # the last token is computed in any case
        cached = max((end for end in blocks if tuple(ids[:end]) in self.known), default=0)
        self.known.update(tuple(ids[:end]) for end in range(4, len(ids) + 1, 4))
        return Rows([[float(position)] for position in range(cached, len(ids))], cached)


def scorer(engine: Cache) -> RowScorer:
    return RowScorer(engine.read, char_encoder(), context=40, flops=FLOPS)


def score(engine: RowScorer, tree: StepTree, nodes: list[int]) -> Scores:
    return asyncio.run(engine.score(tree, nodes))


def sigmoid(position: int) -> float:
    return 1 / (1 + math.exp(-position))


# "?\n" and then "ab\n", "cd\n", "ef\n": steps end at the positions 4, 7 and 10.
def test_steps_of_a_path_are_read_off_one_request() -> None:
    engine = Cache()
    tree = StepTree.from_steps(Problem(id="p", prompt="?"), ["ab", "cd", "ef"])
    scores = score(scorer(engine), tree, [0, 2, 1])
    assert scores.values == pytest.approx([sigmoid(4), sigmoid(10), sigmoid(7)])
    assert engine.asked == [11]
    assert (scores.tokens, scores.cached_tokens, scores.flops) == (11, 0, 11.0)


def test_a_step_inside_cached_blocks_is_asked_for_on_its_own() -> None:
    engine = Cache()
    tree = StepTree.from_steps(Problem(id="p", prompt="?"), ["ab", "cd", "ef"])
    score(scorer(engine), tree, [2])
    again = score(scorer(engine), tree, [0, 1, 2])
    assert again.values == pytest.approx([sigmoid(4), sigmoid(7), sigmoid(10)])
    # 11 tokens of which 8 are cached give rows 8..10; step 1 ends at 7: 8 tokens, 4 cached, rows 4..7 hold step 0 too.
    assert engine.asked == [11, 11, 8]
    assert (again.tokens, again.cached_tokens) == (3 + 4, 8 + 4)


@pytest.mark.parametrize(
    ("row", "expected"), [([2.0], 0.880797), ([1.0, 3.0], 0.880797), ([900.0], 1.0), ([-900.0], 0.0)]
)
def test_one_label_or_two_make_a_probability(row: list[float], expected: float) -> None:
    class Constant(Cache):
        async def read(self, ids: Sequence[int]) -> Rows:
            return Rows([row] * len(ids), 0)

    tree = StepTree.from_steps(Problem(id="p", prompt="?"), ["a"])
    assert score(scorer(Constant()), tree, [0]).values[0] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([], "answered 0 rows for 4 tokens"),
        ([[0.0]] * 9, "answered 9 rows for 4 tokens"),
        ([[0.0, 1.0, 2.0]] * 4, "rows of 3 labels"),
        ([[math.nan]] * 4, "scored a step NaN"),
    ],
)
def test_an_answer_that_is_no_score_ends_the_run(rows: list[list[float]], message: str) -> None:
    class Broken(Cache):
        async def read(self, ids: Sequence[int]) -> Rows:
            return Rows(rows, 0)

    with pytest.raises(RunError, match=message):
        score(scorer(Broken()), StepTree.from_steps(Problem(id="p", prompt="?"), ["a"]), [0])
