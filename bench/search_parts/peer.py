"""The engines of the embedded world, and search-and-learn's schedule of beam search on them."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from prmkit.generate import Sampling
from prmkit.generate.transformers import TransformersGenerator
from prmkit.models.backbone import load_causal_lm
from prmkit.models.checkpoint import CheckpointMeta, LoadedPRM
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat
from prmkit.score.transformers import TransformersScorer
from prmkit.session import Engines
from prmkit.session.journal import Journal
from prmkit.tree import Problem, StepTree
from prmkit.world import WEIGHTS

_PRMS: dict[int, PRM] = {}
"""The PRM behind a scorer, by its encoder: the peer does without the engine's cache."""


def world(*, journal: Path | None = None, millions: int | None = None) -> Engines:
    """The demo's policy and a PRM with a random head; with ``millions``, random ones of so many parameters."""
    torch.manual_seed(0)
    policy, tokenizer = load_causal_lm(str(WEIGHTS / "policy"), torch.float32)
    prm = PRM.from_backbone(str(WEIGHTS / "backbone"), ModelConfig(name=str(WEIGHTS / "backbone"), max_length=256))
    if millions is not None:
        config = AutoConfig.for_model(
            "qwen2",
            hidden_size=512,
            num_hidden_layers=round(millions / 3.2),
            intermediate_size=1408,
            num_attention_heads=8,
            num_key_value_heads=8,
            vocab_size=len(tokenizer),
            max_position_embeddings=256,
        )
        policy = AutoModelForCausalLM.from_config(config).eval()
        policy.generation_config.eos_token_id = tokenizer.eos_token_id
        prm.model = AutoModelForCausalLM.from_config(config).model
        prm.score = torch.nn.Sequential(torch.nn.Linear(512, 512), torch.nn.ReLU(), torch.nn.Linear(512, 1))
    meta = CheckpointMeta(format=StepFormat(), label_source="human", max_length=256)
    encoder = StepEncoder(tokenizer, StepFormat())
    _PRMS[id(encoder)] = prm.eval()
    return Engines(
        generator=TransformersGenerator(policy, tokenizer, max_rows=256),
        encoder=encoder,
        sampling=Sampling(max_tokens=60 if millions else 120),
        scorer=TransformersScorer(LoadedPRM(prm=prm, encoder=encoder, meta=meta)),
        seed=1,
        journal=Journal(journal / "journal.jsonl" if journal else None),
    )


def one_by_one(problems: Sequence[Problem], engines: Engines, *, n: int, width: int, levels: int = 40) -> None:
    """Beam search as search-and-learn schedules it (src/sal/search/beam_search.py, commit 6f81cac).

    One problem at a time; at each level n beams draw a step each, and the PRM reads all their texts from the start;
    generation and scoring alternate.
    """
    for number, problem in enumerate(problems):
        asyncio.run(_beam(problem, engines, n, width, levels, seed=number))


async def _beam(problem: Problem, engines: Engines, n: int, width: int, levels: int, seed: int) -> None:
    active: list[list[str]] = [[] for _ in range(n)]
    for level in range(levels):
        prompts = [engines.encoder.path_ids(problem, steps)[0] for steps in active]
        drawn = await asyncio.gather(
            *(
                engines.generator.generate(
                    prompt,
                    1,
                    sampling=engines.sampling,
                    seed=seed * 10**6 + level * n + index,
                    stop=engines.encoder.format.step_end,
                )
                for index, prompt in enumerate(prompts)
            )
        )
        grown = []
        for steps, generation in zip(active, drawn, strict=True):
            one = generation.continuations[0]
            written = engines.encoder.steps_of(one.ids)
            grown.append(([*steps, *written], one.finish == "stop" and bool(written)))
        trees = [StepTree.from_steps(problem, steps) for steps, _ in grown if steps]
        scores = _scored_anew(trees, engines)
        ranked = sorted(zip(scores, trees, strict=True), key=lambda pair: -pair[0])
        going = {tuple(steps) for steps, goes_on in grown if goes_on}
        paths = [tree.steps(len(tree) - 1) for _, tree in ranked]
        kept = [steps for steps in paths if tuple(steps) in going][: n // width]
        if not kept:
            return
        active = [kept[index % len(kept)] for index in range(n)]


@torch.inference_mode()
def _scored_anew(trees: Sequence[StepTree], engines: Engines) -> list[float]:
    """The last step's score of each text, all of it in one padded forward pass, as search-and-learn reads them."""
    if not trees:
        return []
    encoded = [engines.encoder.path_ids(tree.problem, tree.steps(len(tree) - 1)) for tree in trees]
    longest = max(len(ids) for ids, _ in encoded)
    ids_BT = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in encoded])
    mask_BT = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in encoded])
    ends_BS = torch.tensor([[ends[-1]] for _, ends in encoded])
    scores: list[float] = torch.sigmoid(_PRMS[id(engines.encoder)](ids_BT, mask_BT, ends_BS))[:, 0].tolist()
    return scores
