import asyncio

import pytest
import torch

from prmkit.errors import InputError
from prmkit.models.backbone import load_tokenizer
from prmkit.models.checkpoint import CheckpointMeta, LoadedPRM, load_prm, save_prm
from prmkit.models.config import ModelConfig, StepFormat
from prmkit.models.prm import PRM
from prmkit.score.transformers import TransformersScorer
from prmkit.tree import Problem, StepTree
from tests.contracts.scorer import ScorerContract
from tests.tiny import tiny_backbone


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> LoadedPRM:
    folder = tmp_path_factory.mktemp("models")
    tiny_backbone(folder / "backbone")
    torch.manual_seed(0)
    prm = PRM.from_backbone(str(folder / "backbone"), ModelConfig(name=str(folder / "backbone"), max_length=32))
    meta = CheckpointMeta(format=StepFormat(), label_source="human", max_length=32)
    save_prm(prm, load_tokenizer(str(folder / "backbone")), folder / "prm", meta)
    return load_prm(folder / "prm")


def forked() -> StepTree:
    tree = StepTree.from_steps(Problem(id="p", prompt="a b c"), ["a b", "c"])
    tree.add(0, "b b b")
    return tree


def test_scores_equal_a_plain_forward_of_each_path(loaded: LoadedPRM) -> None:
    tree = forked()
    scores = asyncio.run(TransformersScorer(loaded).score(tree, [0, 1, 2]))
    for node in (0, 1, 2):
        ids, ends = loaded.encoder.path_ids(tree.problem, tree.steps(node))
        with torch.no_grad():
            logits = loaded.prm(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long), torch.tensor([ends]))
        assert scores.values[node] == pytest.approx(torch.sigmoid(logits[0, -1]).item(), abs=1e-6)


def test_a_prefix_is_read_off_the_longer_path(loaded: LoadedPRM) -> None:
    tree = forked()
    lengths = [len(loaded.encoder.path_ids(tree.problem, tree.steps(node))[0]) for node in (1, 2)]
    assert asyncio.run(TransformersScorer(loaded).score(tree, [0, 1, 2])).tokens == sum(lengths)


def test_batch_and_order_change_nothing(loaded: LoadedPRM) -> None:
    trees = [forked(), StepTree.from_steps(Problem(id="q", prompt="c"), ["a a a a", "b", "c c"])]
    scorer, cramped = TransformersScorer(loaded), TransformersScorer(loaded, max_tokens=1)

    async def together() -> list[tuple[float, ...]]:
        return [one.values for one in await asyncio.gather(*(scorer.score(tree, [2, 1]) for tree in trees))]

    async def alone() -> list[tuple[float, ...]]:
        return [(await cramped.score(tree, [1, 2])).values[::-1] for tree in reversed(trees)][::-1]

    for one, other in zip(asyncio.run(together()), asyncio.run(alone()), strict=True):
        assert one == pytest.approx(other, abs=1e-5)


def test_a_solution_longer_than_the_context_is_an_error_not_a_cut(loaded: LoadedPRM) -> None:
    tree = StepTree.from_steps(Problem(id="p", prompt="a"), ["b " * 256])
    with pytest.raises(InputError, match=r"longer than the PRM's context, got '259 tokens'; expected at most 256"):
        asyncio.run(TransformersScorer(loaded).score(tree, [0]))


class TestContract(ScorerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, loaded: LoadedPRM) -> TransformersScorer:
        return TransformersScorer(loaded)
