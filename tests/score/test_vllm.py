import asyncio
from pathlib import Path

import pytest

from prmkit.generate.config import VllmEngine
from prmkit.generate.meter import meter_of
from prmkit.generate.vllm_engine import Vllm
from prmkit.models.foreign.adapters import load_any_prm, read_prm
from prmkit.score import PrmConfig, Scorer, load_scorer
from prmkit.score.transformers import TransformersScorer
from prmkit.score.vllm import VllmScorer
from prmkit.tree import ROOT, Problem, StepTree
from tests.contracts.scorer import ScorerContract
from tests.served import EAGER, VLLM, run

pytestmark = VLLM


def long_tree() -> StepTree:
    """A path of 8 steps and 400 tokens or more, and two branches off it."""
    tree = StepTree(Problem(id="long", prompt="We add and add. " * 6))
    node = ROOT
    for number in range(8):
        node = tree.add(node, f"{number}: the sum is {number * 7} and two and two. " * 3)
    tree.add(4, "No, the sum is nine.")
    tree.add(5, "So the answer is four.")
    return tree


@pytest.fixture(scope="session")
def vllm_scorer(vllm_cpu: None, prm_folder: Path) -> Scorer:
    scorer, source = load_scorer(PrmConfig(checkpoint=str(prm_folder), engine=VllmEngine(**EAGER)))
    assert source == "human"
    return scorer


@pytest.fixture(scope="session")
def reference(prm_folder: Path) -> TransformersScorer:
    return TransformersScorer(load_any_prm(str(prm_folder)))


class TestVllmScorer(ScorerContract):
    tolerance = 1e-4

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, vllm_scorer: Scorer, reference: TransformersScorer) -> Scorer:
        cls.transformers = reference
        return vllm_scorer

    def run(self, work):  # type: ignore[no-untyped-def]
        return run(work)

    def reference(self, engine: Scorer, tree: StepTree, node: int) -> float:
        return run(self.transformers.score(tree, [node])).values[0]


def test_a_step_is_computed_once_up_to_a_block(vllm_scorer: Scorer, reference: TransformersScorer) -> None:
    tree = long_tree()
    lengths = [len(reference.encoder.path_ids(tree.problem, tree.steps(node))[0]) for node in range(len(tree))]
    scores, tokens = [], []
    for node in range(len(tree)):  # as a beam search asks
        reply = run(vllm_scorer.score(tree, [node]))
        scores += reply.values
        tokens.append(reply.tokens)
        assert reply.tokens + reply.cached_tokens == lengths[node]
    expected = run(reference.score(tree, range(len(tree)))).values
    assert scores == pytest.approx(expected, abs=1e-4)
    assert max(expected) - min(expected) > 1e-3  # the steps are told apart
    for node, parent in enumerate(tree.nodes):
        before = lengths[parent.parent] if parent.parent != ROOT else 0
        assert tokens[node] <= lengths[node] - before // 128 * 128
    assert sum(tokens) < sum(lengths) / 2


def test_steps_whose_tokens_are_cached_are_asked_for_on_their_own(
    vllm_scorer: Scorer, reference: TransformersScorer
) -> None:
    tree = long_tree()
    first, again = (run(vllm_scorer.score(tree, range(len(tree)))) for _ in range(2))
    expected = run(reference.score(tree, range(len(tree)))).values
    assert first.values == pytest.approx(expected, abs=1e-4)
    assert again.values == pytest.approx(expected, abs=1e-4)
    assert again.cached_tokens > 0


def test_both_forms_of_a_checkpoint_score_as_transformers_does(
    vllm_cpu: None, prm_folder: Path, two_label_folder: Path, reference: TransformersScorer
) -> None:
    engine = Vllm(str(two_label_folder), VllmEngine(**EAGER), dtype="float32", runner="pooling")
    two_labels = VllmScorer(engine, read_prm(str(prm_folder)))
    tree = long_tree()
    nodes = list(range(len(tree)))
    scores = run(two_labels.score(tree, nodes)).values
    assert scores == pytest.approx(run(reference.score(tree, nodes)).values, abs=1e-4)
    engine.close()


def test_the_meter_has_the_tokens_that_were_computed(vllm_scorer: Scorer) -> None:
    meter, tree = (
        meter_of(vllm_scorer),
        StepTree.from_steps(Problem(id="metered", prompt="How many?"), ["a " * 90, "b"]),
    )
    assert meter is not None

    async def counted() -> int:
        before = meter.read
        scores = await vllm_scorer.score(tree, [0, 1])
        await asyncio.sleep(0.1)  # vLLM counts the tokens of a step after it has handed out what it gave
        assert meter.read - before == scores.tokens
        return scores.tokens

    assert run(counted()) > run(counted()) > 0  # up to whole blocks it is in the cache
    assert meter.drawn == 0
