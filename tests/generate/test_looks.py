import asyncio
from pathlib import Path

import pytest
import torch

from prmkit.errors import RunError
from prmkit.generate.engine_thread import Ticket
from prmkit.generate.likely import NextTokens
from prmkit.generate.looks import Look, answer_looks
from prmkit.generate.stops import TokenTexts
from prmkit.kv.prepared import prepared
from prmkit.kv.reader import KVReader
from prmkit.kv.tree import KVTree
from prmkit.models.backbone import load_causal_lm
from prmkit.models.flops import forward_flops
from tests.tiny import tiny_backbone


@pytest.fixture
def folder(tmp_path: Path) -> str:
    return tiny_backbone(tmp_path / "model")


def looked(folder: str, prompts: list[tuple[int, ...]], top: int, *, broken: bool = False) -> list[object]:
    model, tokenizer = load_causal_lm(folder, torch.float32)
    head = model.get_output_embeddings()
    if broken:
        torch.nn.init.constant_(head.weight, float("nan"))
    reader = KVReader(prepared(model.base_model), KVTree(1 << 20), max_tokens=64)

    async def ask() -> list[object]:
        loop = asyncio.get_running_loop()
        futures = [loop.create_future() for _ in prompts]
        tickets = [Ticket(Look(ids, top), future) for ids, future in zip(prompts, futures, strict=True)]
        with torch.inference_mode():
            answer_looks(reader, head, TokenTexts(tokenizer), forward_flops(model), tickets)
        for ticket in tickets:
            ticket.deliver()
        return await asyncio.gather(*futures, return_exceptions=True)

    return asyncio.run(ask())


def test_the_likeliest_tokens_are_those_of_the_whole_model(folder: str) -> None:
    prompts = [(4, 5, 6), (4, 5, 6, 7, 8)]
    model, tokenizer = load_causal_lm(folder, torch.float32)
    for ids, found in zip(prompts, looked(folder, prompts, 3), strict=True):
        assert isinstance(found, NextTokens)
        with torch.inference_mode():
            log_V = model(torch.tensor([ids], device=model.device)).logits[0, -1].log_softmax(dim=0)
        best = log_V.topk(3)
        assert [token.text for token in found.tokens] == [tokenizer.decode([token]) for token in best.indices.tolist()]
        assert [token.logprob for token in found.tokens] == pytest.approx(best.values.tolist(), abs=1e-4)
        assert found.cached_tokens + found.prefill_tokens == len(ids)


def test_where_nobody_asks_nothing_is_read(folder: str) -> None:
    assert looked(folder, [], 3) == []


def test_a_model_that_gives_nan_fails_who_asked(folder: str) -> None:
    (found,) = looked(folder, [(4, 5)], 3, broken=True)
    assert isinstance(found, RunError)
    assert "NaN" in str(found)
