"""The engines of the embedded world and of a real model, and search-and-learn's schedule of beam search on them."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForCausalLM

from prmkit.generate import Sampling
from prmkit.generate.format import PolicyFormat
from prmkit.generate.text import Context, PolicyText
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
"""The PRM behind a scorer: the peer does without the engine's cache."""


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
    scorer = TransformersScorer(LoadedPRM(prm=prm.eval(), encoder=encoder, meta=meta))
    _PRMS[id(scorer)] = prm
    return Engines(
        generator=TransformersGenerator(policy, tokenizer, max_rows=256),
        text=PolicyText(tokenizer, PolicyFormat()),
        sampling=Sampling(max_tokens=60 if millions else 120),
        scorer=scorer,
        seed=1,
        journal=Journal(journal / "journal.jsonl" if journal else None),
    )


def real(folder: str, *, max_tokens: int, max_rows: int) -> Callable[..., Engines]:
    """Makes engines with empty caches: a causal LM as policy, and its backbone with a random head as PRM."""
    torch.manual_seed(0)
    policy, tokenizer = load_causal_lm(folder, torch.float32)
    prm = PRM.from_backbone(folder, ModelConfig(name=folder, max_length=1024)).eval()
    text = PolicyText(tokenizer, PolicyFormat(step_end="\n"))  # small models seldom write a blank line
    format = StepFormat(template=text.prompter.template, step_end=text.step_end)
    loaded = LoadedPRM(
        prm=prm,
        encoder=StepEncoder(tokenizer, format),
        meta=CheckpointMeta(format=format, label_source="human", max_length=1024),
    )

    def engines(*, journal: Path | None = None) -> Engines:
        scorer = TransformersScorer(loaded)
        _PRMS[id(scorer)] = prm
        return Engines(
            generator=TransformersGenerator(policy, tokenizer, max_rows=max_rows),
            text=text,
            sampling=Sampling(temperature=0.8, max_tokens=max_tokens),
            scorer=scorer,
            seed=1,
            journal=Journal(journal / "journal.jsonl" if journal else None),
        )

    return engines


def one_by_one(
    problems: Sequence[Problem], engines: Engines, *, n: int, width: int, levels: int = 40, whole: bool = False
) -> None:
    """Beam search as search-and-learn schedules it (src/sal/search/beam_search.py, commit 6f81cac).

    One problem at a time; at each level n beams draw a step each, and the PRM reads all their texts from the start;
    generation and scoring alternate. The limit on tokens is that of a step, or as ours that of a whole solution.
    """
    for number, problem in enumerate(problems):
        asyncio.run(_beam(problem, engines, n, width, levels, whole, seed=number))


async def _beam(problem: Problem, engines: Engines, n: int, width: int, levels: int, whole: bool, seed: int) -> None:
    text = engines.text
    start = text.begin(problem).tokens

    def limit(used: int) -> Sampling:
        return engines.sampling.model_copy(update={"max_tokens": max(1, engines.sampling.max_tokens - used)})

    active: list[list[str]] = [[] for _ in range(n)]
    for level in range(levels):
        contexts = [text_behind(engines, StepTree.from_steps(problem, steps)) for steps in active]
        used = [context.tokens - start if whole else 0 for context in contexts]
        drawn = await asyncio.gather(
            *(
                engines.generator.generate(
                    context.prompt,
                    1,
                    sampling=limit(used[index]),
                    seed=seed * 10**6 + level * n + index,
                    stop=text.stop(context),
                )
                for index, context in enumerate(contexts)
            )
        )
        grown = []
        for steps, context, before, generation in zip(active, contexts, used, drawn, strict=True):
            one = generation.continuations[0]
            written = [step.text for step in text.steps(context, one)[0]]
            room = not whole or before + len(one.ids) < engines.sampling.max_tokens
            grown.append(([*steps, *written], one.finish == "stop" and bool(written) and room))
        trees = [StepTree.from_steps(problem, steps) for steps, _ in grown if steps]
        scores = _scored_anew(trees, engines)
        ranked = sorted(zip(scores, trees, strict=True), key=lambda pair: -pair[0])
        going = {tuple(steps) for steps, goes_on in grown if goes_on}
        paths = [tree.steps(len(tree) - 1) for _, tree in ranked]
        kept = [steps for steps in paths if tuple(steps) in going][: n // width]
        if not kept:
            return
        active = [kept[index % len(kept)] for index in range(n)]


def text_behind(engines: Engines, path: StepTree) -> Context:
    """What the policy reads in front of the step that follows a path."""
    context = engines.text.begin(path.problem)
    for node in path:
        context = engines.text.after(context, node, path.meta)
    return context


@torch.inference_mode()
def _scored_anew(trees: Sequence[StepTree], engines: Engines) -> list[float]:
    """The last step's score of each text, all of it in one padded forward pass, as search-and-learn reads them."""
    if not trees:
        return []
    encoder = engines.scorer.encoder  # type: ignore[union-attr]
    encoded = [encoder.path_ids(tree.problem, tree.steps(len(tree) - 1)) for tree in trees]
    longest = max(len(ids) for ids, _ in encoded)
    ids_BT = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in encoded])
    mask_BT = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in encoded])
    ends_BS = torch.tensor([[ends[-1]] for _, ends in encoded])
    scores: list[float] = torch.sigmoid(_PRMS[id(engines.scorer)](ids_BT, mask_BT, ends_BS))[:, 0].tolist()
    return scores
