import asyncio
import copy
import logging
import math
from dataclasses import replace

import pytest
import torch
from transformers import PreTrainedModel

from prmkit.errors import InputError, RunError
from prmkit.kv import reader as kv_reader
from prmkit.kv.rows import KVRows
from prmkit.models.checkpoint import CheckpointMeta, LoadedPRM, load_prm, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.models.tokenizer import load_tokenizer
from prmkit.models.twin import CONTEXT
from prmkit.packing.format import StepFormat
from prmkit.score import Scorer, Scores
from prmkit.score.transformers import TransformersScorer
from prmkit.tree import ROOT, Problem, StepTree
from tests.contracts.scorer import ScorerContract
from tests.tiny import tiny_backbone
from tests.zoo import BY_PLACE, RECURRENT, WINDOWED, few_first, tiny_layers


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


def test_each_token_of_a_beam_search_passes_the_prm_once(loaded: LoadedPRM) -> None:
    """Ten steps, four beams, of which two are continued: tokens computed are those of the tree."""
    scorer = TransformersScorer(loaded)
    tree = StepTree(Problem(id="p", prompt="a b c"))
    beams, computed, cached = [ROOT, ROOT], 0, 0
    for step in range(10):
        new = [tree.add(beam, f"a {step} {child}") for beam in beams for child in range(2)]
        scores = asyncio.run(scorer.score(tree, new))
        computed, cached = computed + scores.tokens, cached + scores.cached_tokens
        beams = new[1:3]
    prefixes = {
        tuple(ids[:length])
        for node in range(len(tree))
        for ids in [loaded.encoder.path_ids(tree.problem, tree.steps(node))[0]]
        for length in range(1, len(ids) + 1)
    }
    assert computed == len(prefixes)
    assert cached > 3 * computed


def test_the_meter_has_the_tokens_that_were_computed(loaded: LoadedPRM) -> None:
    scorer, tree = TransformersScorer(loaded, max_tokens=4), forked()
    first = asyncio.run(scorer.score(tree, [0, 1, 2]))
    assert (scorer.meter.read, scorer.meter.drawn) == (first.tokens, 0)
    asyncio.run(scorer.score(tree, [2, 1, 0]))
    assert scorer.meter.read == first.tokens


def test_a_step_that_was_scored_costs_nothing_again(loaded: LoadedPRM) -> None:
    scorer, tree = TransformersScorer(loaded), forked()
    first = asyncio.run(scorer.score(tree, [0, 1]))
    again = asyncio.run(scorer.score(tree, [1, 0]))
    assert first.cached_tokens == again.tokens == 0
    assert again.cached_tokens == first.tokens
    assert again.values == first.values[::-1]


def test_a_step_on_the_way_to_a_scored_one_costs_its_last_token(loaded: LoadedPRM) -> None:
    scorer, tree = TransformersScorer(loaded), forked()
    first = asyncio.run(scorer.score(tree, [1]))
    between = asyncio.run(scorer.score(tree, [0]))
    assert between.tokens == 1
    assert between.cached_tokens < first.tokens
    whole = asyncio.run(TransformersScorer(loaded).score(tree, [0, 1]))
    assert (*between.values, *first.values) == pytest.approx(whole.values, abs=1e-5)


def test_batch_and_order_change_nothing(loaded: LoadedPRM) -> None:
    trees = [forked(), StepTree.from_steps(Problem(id="q", prompt="c"), ["a a a a", "b", "c c"])]
    scorer, cramped = TransformersScorer(loaded), TransformersScorer(loaded, max_tokens=1, memory=0)

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


def test_nan_is_an_error_and_no_score(loaded: LoadedPRM) -> None:
    broken = copy.deepcopy(loaded.prm)
    scorer = TransformersScorer(replace(loaded, prm=broken))
    torch.nn.init.constant_(broken.score[2].weight, math.nan)  # type: ignore[arg-type]
    with pytest.raises(RunError, match="the PRM scored a step NaN"):
        asyncio.run(scorer.score(forked(), [1]))


def test_out_of_memory_scores_in_smaller_batches_and_loses_nothing(
    loaded: LoadedPRM, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trees = [StepTree.from_steps(Problem(id=str(i), prompt="a " * i), ["a b", "c"]) for i in range(8)]
    expected = [asyncio.run(TransformersScorer(loaded).score(tree, [1])).values for tree in trees]
    real = kv_reader.advance

    def advance(model: PreTrainedModel, kv: KVRows, ids_BN: torch.Tensor, lengths: list[int]) -> torch.Tensor:
        if len(lengths) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(model, kv, ids_BN, lengths)

    monkeypatch.setattr(kv_reader, "advance", advance)
    scorer = TransformersScorer(loaded)

    async def main() -> list[Scores]:
        return await asyncio.gather(*(scorer.score(tree, [1]) for tree in trees))

    with caplog.at_level(logging.WARNING):
        found = asyncio.run(main())
    assert len(caplog.records) == 1
    for scores, values in zip(found, expected, strict=True):
        assert scores.values == pytest.approx(values, abs=1e-5)


def test_it_is_said_where_paths_are_read_as_a_whole(loaded: LoadedPRM, caplog: pytest.LogCaptureFixture) -> None:
    prm = PRM(tiny_layers("lfm2")).eval()
    with caplog.at_level(logging.WARNING):
        scorer = TransformersScorer(replace(loaded, prm=prm))
    assert "Lfm2Model: its past is more than keys and values (" in caplog.text
    tree = forked()
    scores = asyncio.run(scorer.score(tree, [2, 1]))
    again = asyncio.run(scorer.score(tree, [2, 1]))
    assert again.values == scores.values
    length = sum(len(loaded.encoder.path_ids(tree.problem, tree.steps(node))[0]) for node in (1, 2))
    assert (again.tokens, again.cached_tokens) == (scores.tokens, scores.cached_tokens) == (length, 0)


class TestContract(ScorerContract):
    @pytest.fixture(scope="class", params=["qwen2", *few_first(*WINDOWED, *RECURRENT, *BY_PLACE)])
    @classmethod
    def engine(cls, loaded: LoadedPRM, request: pytest.FixtureRequest) -> TransformersScorer:
        if request.param == "qwen2":
            return TransformersScorer(loaded)
        torch.manual_seed(0)
        return TransformersScorer(replace(loaded, prm=PRM(tiny_layers(request.param)).eval()), context=CONTEXT)

    def reference(self, engine: Scorer, tree: StepTree, node: int) -> float:
        assert isinstance(engine, TransformersScorer)
        ids, ends = engine.encoder.path_ids(tree.problem, tree.steps(node))
        prm = copy.deepcopy(engine.prm)
        prm.model.set_attn_implementation("eager")
        with torch.no_grad():
            logits = prm(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long), torch.tensor([ends]))
        return float(torch.sigmoid(logits[0, -1]))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
class TestContractOnAGPU(ScorerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, loaded: LoadedPRM) -> TransformersScorer:
        return TransformersScorer(replace(loaded, prm=copy.deepcopy(loaded.prm).to("cuda:0")))
