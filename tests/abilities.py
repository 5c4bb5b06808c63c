"""What prmkit can do with a backbone, found out by doing it with a tiny random one from the zoo.

    find("mistral", "packed", tmp_path)   # yes, or how far off, or why not

Each ability in ``ABILITIES`` compares numbers: with the same rows read alone, the same model read whole, the same
weights before they were saved. Rows are longer than every window and original context of the zoo.

Shapes: B rows, T tokens, S steps.
"""

import ast
import asyncio
import math
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from transformers import AutoConfig, PreTrainedModel

from prmkit.errors import PrmkitError, RunError
from prmkit.generate import Generation, Sampling
from prmkit.generate.transformers import TransformersGenerator
from prmkit.models.attention import PackedBy, packed_attention
from prmkit.models.backbone import empty_backbone, load_causal_lm
from prmkit.models.checkpoint import (
    CheckpointMeta,
    LoadedPRM,
    export_process_reward_model,
    load_prm,
    save_prm,
)
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM, architecture
from prmkit.models.twin import CONTEXT, stir
from prmkit.packing.batch import collate
from prmkit.packing.format import StepFormat
from prmkit.packing.rows import RowShape, encode_trees
from prmkit.packing.table import TokenRow, joined
from prmkit.score.transformers import TransformersScorer
from prmkit.train.adapters import adapted
from prmkit.train.config import LoraConfig, TrainConfig
from prmkit.train.losses import step_losses
from prmkit.tree import ROOT, Problem, StepTree
from tests.tiny import human, tiny_encoder, tiny_tokenizer
from tests.zoo import tiny_folder

TOLERANCE = 1e-4
"""What rounding does to a logit; logits of these models have a deviation of about one."""

_META = CheckpointMeta(format=StepFormat(), label_source="human", max_length=CONTEXT)


def find(name: str, ability: str, folder: Path) -> str:
    """``yes``, ``off by`` how much, ``no:`` and why it is refused, or ``breaks:`` and the error that nobody caught.

    Args:
        name: of a model in the zoo.
        ability: one of ``ABILITIES``.
        folder: for what is written, the model among it; it may hold that from an earlier call.
    """
    model = folder / "model"
    if not model.is_dir():
        tiny_folder(name, model)
    work = folder / ability.replace(" ", "-")
    work.mkdir()
    try:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return ABILITIES[ability](str(model), work)
    except PrmkitError as error:
        return f"no: {_reason(error, folder)}"
    except Exception as error:
        return f"breaks: {type(error).__name__}: {_reason(error, folder)}"


def _reason(error: Exception, folder: Path) -> str:
    """The first sentence of an error, without the place and what only this model has: its name and those of weights."""
    text = re.sub(r"^(/[\w/-]+|\w+Model|\w+ForCausalLM): ", "", " ".join(str(error).replace(str(folder), "").split()))
    text = re.sub(r" \([\w-]+\)(?= )| of \d[\d.e-]*(?=['\" ])", "", text)
    return re.sub(r", got ('no .*|'[a-z0-9_-]+')$", "", re.split(r"; expected|\. (?=[A-Z])", text)[0]).rstrip(".")[:160]


def _said(difference: float) -> str:
    return "yes" if difference < TOLERANCE else f"off by {difference:.0e}"


def _config(name: str) -> ModelConfig:
    return ModelConfig(name=name, max_length=CONTEXT, head_dropout=0.0)


def _prm(name: str) -> PRM:
    prm = PRM.from_backbone(name, _config(name))
    stir(prm.score)
    return prm.eval()


def _rows() -> list[TokenRow]:
    """Five rows without a common beginning, and a label of its own at each step. The last ends within the original
    context of models that have one.
    """
    generator = np.random.default_rng(0)
    rows = []
    for number, length in enumerate((30, 23, 37, 26, 12)):
        rows.append(
            TokenRow(
                ids=generator.integers(3, len(tiny_tokenizer()), length, dtype=np.int32),
                positions=np.arange(length, dtype=np.int32),
                until=np.full(length, length, dtype=np.int32),
                ends=np.array([length // 3, length // 2, length - 1], dtype=np.int32),
                labels=np.arange(3 * number, 3 * number + 3) / 16,
                weights=np.ones(3),
                problems=("p",),
            )
        )
    return rows


def _tree() -> StepTree:
    """A tree of three paths, and a label of its own at each step. Its first step ends within every original context."""
    tree = StepTree(Problem(id="p", prompt="1 2 3 a b c"))
    labels = iter([number / 16 for number in range(16)])

    def step(parent: int, text: str) -> int:
        return tree.add(parent, text + "\n", label=human(next(labels)))

    first = step(ROOT, "d e f 1")
    left = step(first, "x y z + 9 8 7 6 5 4 3 a b c 2 1 0")
    step(left, "b b b = 2 1 0")
    step(left, "= 2 1 0 ? ! # a b c d e f")
    step(first, "c c x y 1 1 2 good")
    return tree


def _tree_rows(budget: int | None) -> list[TokenRow]:
    """The paths of the tree: in one row within a budget, or in a row each."""
    shape = RowShape(max_length=CONTEXT, weighting="rows", budget=budget)
    return list(encode_trees([_tree()], tiny_encoder(), shape).rows)


def _logits(prm: PRM, rows: Iterable[TokenRow]) -> dict[float, float]:
    """The logit of each step, by its label, of rows in one batch."""
    batch = collate(rows)
    with torch.no_grad():
        logits_BS = prm(batch.ids_BT, batch.mask_BT, batch.ends_BS, batch.packing)
    counted_BS = batch.weights_BS > 0
    return dict(zip(batch.labels_BS[counted_BS].tolist(), logits_BS[counted_BS].tolist(), strict=True))


def _alone(prm: PRM, rows: Iterable[TokenRow]) -> dict[float, float]:
    """The logit of each step, by its label, of rows that are each read on its own."""
    return {label: logit for row in rows for label, logit in _logits(prm, [row]).items()}


def _farthest(found: Mapping[float, float], wanted: Mapping[float, float]) -> float:
    assert found.keys() == wanted.keys()
    differences = [abs(found[key] - wanted[key]) for key in wanted]
    return math.inf if any(map(math.isnan, differences)) else max(differences)


def _train(prm: PRM, rows: Iterable[TokenRow]) -> None:
    """A step of AdamW, for which loss and gradients have to be finite and to reach the backbone."""
    batch = collate(rows)
    trained = [parameter for parameter in prm.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-2)
    prm.train()
    logits_BS = prm(batch.ids_BT, batch.mask_BT, batch.ends_BS, batch.packing)
    loss = (step_losses(logits_BS, batch, TrainConfig()) * batch.weights_BS).sum()
    loss.backward()
    reached = [parameter.grad for parameter in prm.model.parameters() if parameter.grad is not None]
    if not all(bool(each.isfinite().all()) for each in [loss, *reached]):
        raise RunError("loss or gradients are not finite")
    if not any(bool(gradient.any()) for gradient in reached):
        raise RunError("nothing reaches the backbone")
    optimizer.step()
    prm.eval()


def unpacked(name: str, folder: Path) -> str:
    """A batch of padded rows gives what each of them gives, and a step of training goes through."""
    prm, rows = _prm(name), _rows()
    difference = _farthest(_logits(prm, rows), _alone(prm, rows))
    _train(prm, rows)
    return _said(difference)


def packed(name: str, folder: Path) -> str:
    """Rows in two sequences, of which one is padded, give what each of them gives alone."""
    rows = _rows()
    return _apart(name, "sequence", [joined(rows[:3]), joined(rows[3:])], rows)


def tree(name: str, folder: Path) -> str:
    """Paths that share their beginning give what each of them gives alone."""
    return _apart(name, "tree", _tree_rows(CONTEXT), _tree_rows(None))


def _apart(name: str, by: PackedBy, together: list[TokenRow], rows: list[TokenRow]) -> str:
    """How far packed rows are off from themselves alone."""
    prm = _prm(name)
    wanted = _alone(prm, rows)
    prm.model.set_attn_implementation(packed_attention(prm.model.config, by))
    return _said(_farthest(_logits(prm, together), wanted))


def lora(name: str, folder: Path) -> str:
    """Adapters are trained a step, merged and saved, and the folder scores as they did."""
    prm, _ = adapted(name, _config(name), LoraConfig(rank=4))
    stir(prm.score)
    _train(prm, _rows())
    return _saved(prm, folder)


def save(name: str, folder: Path) -> str:
    """A checkpoint scores as the PRM that was saved."""
    return _saved(_prm(name), folder)


def _saved(prm: PRM, folder: Path) -> str:
    save_prm(prm, tiny_tokenizer(), folder / "prm", _META)
    return _said(_farthest(_alone(load_prm(folder / "prm").prm, _rows()), _alone(prm, _rows())))


def fsdp2(name: str, folder: Path) -> str:
    """A PRM without memory for its backbone finds every weight in the folder."""
    PRM.skeleton(name, _config(name))
    return "yes"


def score(name: str, folder: Path) -> str:
    """The engine with a tree of key-values scores steps as the PRM does that reads each path as a whole."""
    prm, given = _prm(name), _tree()
    labels = [node.label.value for node in given if node.label is not None]
    wanted = {label: 1 / (1 + math.exp(-logit)) for label, logit in _alone(prm, _tree_rows(None)).items()}
    engine = TransformersScorer(LoadedPRM(prm=prm, encoder=tiny_encoder(), meta=_META), memory=1 << 20)

    async def ask() -> list[float]:
        # First what others begin with, so that they find it in the tree, and then go on from pasts of unequal length.
        for node in (0, 2):
            await engine.score(given, [node])
        return list((await engine.score(given, range(len(given)))).values)

    said = _said(_farthest(dict(zip(labels, asyncio.run(ask()), strict=True)), wanted))
    return "yes, whole" if said == "yes" and not any(True for _ in engine.tree) else said


def generate(name: str, folder: Path) -> str:
    """Greedy decoding writes, token for token, the likeliest of a plain forward pass."""
    model, tokenizer = load_causal_lm(name, torch.float32)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    prompts = [row.ids.tolist()[:length] for row, length in zip(_rows(), (20, 3, 12), strict=False)]
    wanted = [_greedy(model, prompt, tokenizer.eos_token_id) for prompt in prompts]
    engine = TransformersGenerator(model, tokenizer, memory=1 << 20)

    async def ask() -> list[Generation]:
        sampling = Sampling(max_tokens=12, temperature=0.0)
        return await asyncio.gather(*(engine.generate(ids, 1, sampling=sampling, seed=0) for ids in prompts))

    written = [list(generation.continuations[0].ids) for generation in asyncio.run(ask())]
    same = sum(one == other for one, other in zip(written, wanted, strict=True))
    return "yes" if same == len(wanted) else f"off in {len(wanted) - same} of {len(wanted)} texts"


def _greedy(model: PreTrainedModel, prompt: list[int], end: int) -> list[int]:
    ids = list(prompt)
    with torch.no_grad():
        while len(ids) < len(prompt) + 12:
            token = int(model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax())
            if token == end:
                break
            ids.append(token)
    return ids[len(prompt) :]


def two_labels(name: str, folder: Path) -> str:
    """The second form of a checkpoint has the score of the first as the softmax of its two labels."""
    prm = _prm(name)
    save_prm(prm, tiny_tokenizer(), folder / "prm", _META)
    export_process_reward_model(folder / "prm", folder / "two")
    weights = load_file(folder / "two" / "model.safetensors")
    hidden_TH = prm.model(torch.from_numpy(_rows()[0].ids)[None].long()).last_hidden_state[0]
    inner_TH = torch.relu(hidden_TH @ weights["score.0.weight"].T + weights["score.0.bias"])
    two_TL = inner_TH @ weights["score.2.weight"].T + weights["score.2.bias"]
    one_T = prm.score(hidden_TH)[:, 0]
    return _said(float((two_TL[:, 1] - two_TL[:, 0] - one_T).detach().abs().max()))


def vllm(name: str, folder: Path) -> str:
    """Whether vLLM has a model of the name that a checkpoint has, and one of the policy's."""
    known, policy = vllm_models(), AutoConfig.from_pretrained(name).architectures[0]
    if known is None:
        return UNKNOWN
    prm = architecture(empty_backbone(name, torch.float32))
    parts = [part for part, model in (("PRM", prm), ("policy", policy)) if model in known]
    return "yes" if len(parts) == 2 else f"{parts[0]} only" if parts else "no: vLLM has no such model"


@cache
def vllm_models() -> frozenset[str] | None:
    """The architectures of vLLM's registry, read from its text; None where vLLM is not installed."""
    found = find_spec("vllm")
    if found is None or found.origin is None:
        return None
    text = (Path(found.origin).parent / "model_executor/models/registry.py").read_text(encoding="utf-8")
    tables = [
        node.value for node in ast.parse(text).body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Dict)
    ]
    return frozenset(key.value for table in tables for key in table.keys if isinstance(key, ast.Constant))


UNKNOWN = "?"
"""Where vLLM is not installed."""

ABILITIES: dict[str, Callable[[str, Path], str]] = {
    "unpacked": unpacked,
    "packed": packed,
    "tree": tree,
    "LoRA": lora,
    "save": save,
    "FSDP2": fsdp2,
    "score": score,
    "generate": generate,
    "two labels": two_labels,
    "vLLM": vllm,
}
