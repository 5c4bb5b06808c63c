"""Other people's PRMs, without their code: each becomes a backbone, a head with one logit, and a tokenisation.

Two labels or two answer tokens a and b make one logit, for softmax([a, b])[1] = sigmoid(b - a).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor, nn
from transformers import PretrainedConfig, PreTrainedTokenizerBase

from prmkit.errors import InputError
from prmkit.models.backbone import check_vocabulary, load_backbone, load_config, stored_folder
from prmkit.models.checkpoint import META_FILE, CheckpointMeta, LoadedPRM, load_prm, read_meta
from prmkit.models.config import Adapter
from prmkit.models.context import readable
from prmkit.models.folder import check_folder
from prmkit.models.foreign.heads import read_head
from prmkit.models.foreign.tensors import read_tensors
from prmkit.models.foreign.text import MathShepherdEncoder, RLHFlowEncoder, SkyworkEncoder, TRLEncoder
from prmkit.models.loading import move
from prmkit.models.names import model_folder
from prmkit.models.prm import PRM
from prmkit.models.stored_tensors import StoredTensors
from prmkit.models.tokenizer import load_tokenizer
from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat


@dataclass(frozen=True, slots=True, kw_only=True)
class PrmText:
    """What an engine elsewhere must know of a PRM: all but its weights."""

    adapter: Adapter
    encoder: StepEncoder
    label_source: str
    context: int
    config: PretrainedConfig

    @property
    def dtype(self) -> str:
        """The type of the stored parameters, by its torch name."""
        return str(self.config.dtype or torch.float32).removeprefix("torch.")


_LINES = StepFormat()


@dataclass(frozen=True, slots=True)
class _Layout:
    """How one kind of PRM is stored and read.

    ``label_source`` decides the default aggregation; where the authors do not say, a recipe has to name it.
    """

    encoder: Callable[[PreTrainedTokenizerBase, StepFormat], StepEncoder]
    head: Callable[[Path, PreTrainedTokenizerBase], nn.Module]
    label_source: str
    format: StepFormat = _LINES


def read_prm(name: str, adapter: Adapter | None = None) -> PrmText:
    """The tokenisation and config of a PRM, without its weights.

    Args:
        name: a folder, ``org/name`` or ``org/name@revision``.
        adapter: whose layout it has; None for what its config says.

    Raises:
        InputError: there is no such PRM, or its kind is not known.
    """
    folder = model_folder(name, weights=False)
    adapter = adapter or _kind(folder)
    config, tokenizer = load_config(str(folder)), load_tokenizer(str(folder))
    if adapter == "prmkit":
        meta = read_meta(folder)
        encoder, label_source = StepEncoder(tokenizer, meta.format), meta.label_source
        context = readable(config, meta.max_length)
    else:
        layout = _LAYOUTS[adapter]
        encoder, label_source = layout.encoder(tokenizer, layout.format), layout.label_source
        context = readable(config)
    return PrmText(
        adapter=adapter,
        encoder=encoder,
        label_source=label_source,
        context=context,
        config=config,
    )


def load_any_prm(name: str, adapter: Adapter | None = None, *, device: str | torch.device = "cpu") -> LoadedPRM:
    """A PRM in evaluation mode, whoever trained it. Code that comes with it is never run.

    Args:
        name: a folder, ``org/name`` or ``org/name@revision``.
        adapter: whose layout it has; None for what its config says.
        device: where it shall live; its parameters keep their type.

    Raises:
        InputError: there is no such PRM, its kind is not known, or its weights are not those of its kind.
    """
    folder = stored_folder(name)
    if (adapter or _kind(folder)) == "prmkit":
        return load_prm(folder, device)
    text = read_prm(str(folder), adapter)
    layout = _LAYOUTS[text.adapter]
    backbone, _ = load_backbone(str(folder), None)
    check_vocabulary(backbone, text.encoder.tokenizer, where=name)
    prm = PRM(backbone)
    head = _head(layout, folder, text.encoder.tokenizer, width=int(backbone.config.hidden_size))
    prm.score = nn.Sequential(head).to(backbone.dtype)
    meta = CheckpointMeta(format=layout.format, label_source=text.label_source, max_length=text.context)
    move(prm.eval(), device, name)
    return LoadedPRM(prm=prm, encoder=text.encoder, meta=meta)


def _kind(folder: Path) -> Adapter:
    """Whose PRM a folder holds."""
    if (folder / META_FILE).is_file():
        return "prmkit"
    names = check_folder(folder, str(folder)).get("architectures")
    name = str(names[0]) if isinstance(names, list) and names else ""
    endings: dict[str, Adapter] = {
        "ForProcessRewardModel": "qwen-math-prm",
        "ForPrmModel": "skywork-o1",
        "ForTokenClassification": "trl",
    }
    for ending, adapter in endings.items():
        if name.endswith(ending):
            return adapter
    raise InputError(
        "not the checkpoint of a PRM, or its config does not say whose",
        where=folder,
        got=name,
        expected=f"{META_FILE}, or an architecture that ends in {', '.join(endings)}",
        cure=f"Name the adapter: one of {', '.join(get_args(Adapter))}.",
    )


def _head(layout: _Layout, folder: Path, tokenizer: PreTrainedTokenizerBase, *, width: int) -> nn.Module:
    """The head of a kind of PRM, which makes one logit of ``width`` numbers.

    Raises:
        InputError: the stored one does not.
    """
    with suppress(RuntimeError, IndexError):  # torch's, about shapes
        head = layout.head(folder, tokenizer)
        if head(torch.zeros(1, width)).shape == (1, 1):
            return head
    raise InputError(
        "the head does not make one logit of a hidden state",
        where=folder,
        expected=f"weights for a backbone of width {width}",
        cure="Is the adapter right?",
    )


def _linear(weight_OH: Tensor, bias_O: Tensor | None) -> nn.Linear:
    linear = nn.Linear(weight_OH.shape[1], weight_OH.shape[0], bias=bias_O is not None)
    linear.load_state_dict({"weight": weight_OH} if bias_O is None else {"weight": weight_OH, "bias": bias_O})
    return linear


def _two_labels(folder: Path, tensors: dict[str, Tensor], name: str) -> nn.Linear:
    """The layer ``name``, whose labels are wrong and right, as one logit."""
    weight_2H, bias_2 = tensors[f"{name}.weight"], tensors.get(f"{name}.bias")
    if weight_2H.shape[0] != 2:
        raise InputError(
            "the head has another number of labels", where=folder, got=weight_2H.shape[0], expected="2: wrong and right"
        )
    return _linear(weight_2H[1:] - weight_2H[:1], None if bias_2 is None else bias_2[1:] - bias_2[:1])


def _qwen_head(folder: Path, tokenizer: PreTrainedTokenizerBase) -> nn.Module:
    keys = ["score.0.weight", "score.0.bias", "score.2.weight", "score.2.bias"]
    tensors = read_tensors(folder, keys)
    inner = _linear(tensors["score.0.weight"], tensors["score.0.bias"])
    return nn.Sequential(inner, nn.ReLU(), _two_labels(folder, tensors, "score.2"))


def _value_head(folder: Path, tokenizer: PreTrainedTokenizerBase) -> nn.Module:
    tensors = read_tensors(folder, ["v_head.summary.weight", "v_head.summary.bias"])
    return _linear(tensors["v_head.summary.weight"], tensors["v_head.summary.bias"])


def _classifier(folder: Path, tokenizer: PreTrainedTokenizerBase) -> nn.Module:
    head = read_head(StoredTensors(folder), folder, cure="Is the adapter right?")
    if head.labels != 2:
        raise InputError(
            "the head has another number of labels", where=folder, got=head.labels, expected="2: wrong and right"
        )
    last = _linear(head.weight_1H, head.bias_1)
    return last if head.inner is None else nn.Sequential(_linear(*head.inner), nn.ReLU(), last)


def _answer_tokens(folder: Path, tokenizer: PreTrainedTokenizerBase) -> nn.Module:
    """The LM head at the tokens - and +, as one logit."""
    # What a model with tied weights stores instead of an LM head.
    tied = "model.embed_tokens.weight"
    tensors = read_tensors(folder, [], optional=["lm_head.weight", tied])
    weight_VH = tensors.get("lm_head.weight", tensors.get(tied))
    if weight_VH is None:
        raise InputError("the folder has no LM head", where=folder, expected="lm_head.weight")
    minus, plus = (tokenizer.encode(sign, add_special_tokens=False)[-1] for sign in ("-", "+"))
    return _linear((weight_VH[plus] - weight_VH[minus])[None], None)


_LAYOUTS: dict[Adapter, _Layout] = {
    # Qwen/Qwen2.5-Math-PRM-7B and -72B, Qwen2.5-Math-7B-PRM800K (arXiv 2501.07301): labels on which Monte-Carlo
    # estimation and an LLM judge agree, scores multiplied.
    "qwen-math-prm": _Layout(StepEncoder, _qwen_head, "judge", StepFormat(template="qwen-math", step_end="<extra_0>")),
    # Skywork/Skywork-o1-Open-PRM-Qwen-2.5-1.5B and -7B.
    "skywork-o1": _Layout(SkyworkEncoder, _value_head, "unpublished"),
    # peiyi9979/math-shepherd-mistral-7b-prm (arXiv 2312.08935).
    "math-shepherd": _Layout(MathShepherdEncoder, _answer_tokens, "monte-carlo"),
    # RLHFlow/Llama3.1-8B-PRM-Deepseek-Data and -Mistral-Data.
    "rlhflow": _Layout(RLHFlowEncoder, _answer_tokens, "monte-carlo"),
    # Whatever trl.experimental.prm trained; what on, the folder does not say.
    "trl": _Layout(TRLEncoder, _classifier, "unpublished"),
}
