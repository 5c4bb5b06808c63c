"""Loading of pretrained backbones and tokenizers, with every refusal as one InputError."""

from pathlib import Path
from pickle import UnpicklingError
from typing import Any, cast

import torch
from huggingface_hub import snapshot_download
from safetensors import SafetensorError
from transformers import (
    MODEL_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)

from prmkit.errors import InputError
from prmkit.models.attention import faithful_attention
from prmkit.models.context import settle_rope
from prmkit.models.loading import loading, move, quiet
from prmkit.models.names import refuse_missing_folder, unloadable
from prmkit.models.stored_tensors import holds_code
from prmkit.models.tokenizer import load_tokenizer


def load_config(name: str) -> PretrainedConfig:
    """The config of a model, without its weights. Code that comes with a model is never run.

    Raises:
        InputError: the folder is missing or holds no model.
    """
    refuse_missing_folder(name)
    try:
        config: PretrainedConfig = AutoConfig.from_pretrained(name, trust_remote_code=False)
    except (OSError, ValueError, KeyError) as error:
        raise unloadable("config", name, error) from None
    return config


def load_backbone(
    name: str, dtype: torch.dtype | None, *, prefix: str = "", **options: Any
) -> tuple[PreTrainedModel, set[str]]:
    """A model without its LM head, in evaluation mode on the CPU, and the stored keys that it has no place for.

    Args:
        name: local folder or hub id. Code that comes with a model is never run.
        dtype: of the parameters; None keeps the stored one.
        prefix: what stands before the backbone's own keys in the stored names.
        options: further arguments of transformers' ``from_pretrained``.

    Raises:
        InputError: the folder is missing, holds no model, or holds weights of another architecture.
    """
    mapping = {}
    if prefix:
        kind: Any = MODEL_MAPPING[type(load_config(name))]
        own = f"{kind.base_model_prefix}."  # which transformers takes off by itself, after other changes of names
        mapping = {} if own == prefix else {"key_mapping": {"^" + prefix.replace(".", r"\."): own}}
    return _load(AutoModel, name, dtype, prefix=prefix, **mapping, **options)


def empty_backbone(name: str, dtype: torch.dtype) -> PreTrainedModel:
    """A model without its LM head and without memory for its weights, in evaluation mode.

    Raises:
        InputError: there is no such model.
    """
    refuse_missing_folder(name)
    try:
        config = AutoConfig.from_pretrained(name, trust_remote_code=False)
        with torch.device("meta"):
            made: Any = AutoModel.from_config(config, dtype=dtype)
        with quiet():  # as if it were loaded, since transformers then keeps some weights in float32
            model: PreTrainedModel = type(made).from_pretrained(
                None, config=config, dtype=dtype, state_dict=made.state_dict(), device_map="meta"
            )
        return _faithful(model.eval())
    except (OSError, ValueError, KeyError) as error:
        raise unloadable("model", name, error) from None


def stored_folder(name: str) -> Path:
    """The folder on this machine with the weights of a local folder or hub id, fetched if need be.

    Raises:
        InputError: there is no such model.
    """
    refuse_missing_folder(name)
    if Path(name).is_dir():
        return Path(name)
    try:
        return Path(snapshot_download(name, allow_patterns=["*.safetensors", "*.json"]))
    except (OSError, ValueError) as error:
        raise unloadable("model", name, error) from None


def load_causal_lm(
    name: str,
    dtype: torch.dtype | None = None,
    *,
    device: str | None = None,
    tokenizer: PreTrainedTokenizerBase | None = None,
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """A model with its LM head, in evaluation mode on ``device`` (default: the GPU, or CPU), and its tokenizer.

    Args:
        name: local folder or hub id.
        dtype: of the parameters; None keeps the stored one.
        device: where it shall live.
        tokenizer: its tokenizer, where it is loaded already.

    Raises:
        InputError: the folder or hub id holds no causal LM with a tokenizer, or weights are missing.
    """
    tokenizer = load_tokenizer(name) if tokenizer is None else tokenizer
    model, _ = _load(AutoModelForCausalLM, name, dtype)
    check_vocabulary(model, tokenizer, where=name)
    move(cast(torch.nn.Module, model), device or accelerator(), name)
    return model, tokenizer


def accelerator() -> str:
    """The device that a model of this process runs on: the first GPU, or the CPU."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def check_vocabulary(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, *, where: object) -> None:
    """Refuse a tokenizer that speaks ids for which the model has no embedding.

    Raises:
        InputError: the vocabulary of the model is smaller than that of the tokenizer.
    """
    if len(tokenizer) > model.config.vocab_size:
        raise InputError(
            "the vocabulary of the model is smaller than the tokenizer's",
            where=where,
            got=f"{model.config.vocab_size} embeddings",
            expected=f"at least {len(tokenizer)}",
            cure="The tokenizer belongs to another model, or tokens were added to it without resizing the embeddings.",
        )


def shown(keys: list[str]) -> str:
    """Names as a sentence shows them: the first four, then how many more."""
    rest = f" and {len(keys) - 4} more" if len(keys) > 4 else ""
    return ", ".join(keys[:4]) + rest


def _faithful(model: PreTrainedModel) -> PreTrainedModel:
    """The model, which computes a text as it is defined, whatever stands beside it."""
    attention = faithful_attention(model.config)
    if attention not in (None, model.config._attn_implementation):
        model.set_attn_implementation(attention)
    settle_rope(model)
    return model


def _load(
    kind: Any,
    name: str,
    dtype: torch.dtype | None,
    *,
    prefix: str = "",
    **options: Any,
) -> tuple[PreTrainedModel, set[str]]:
    refuse_missing_folder(name)
    try:
        with loading(name):
            model, report = kind.from_pretrained(
                name, dtype=dtype or "auto", output_loading_info=True, trust_remote_code=False, **options
            )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise unloadable("model", name, error) from None
    except UnpicklingError:
        raise holds_code(name) from None
    # Keys without weights would be drawn at random, and the work would go on as if nothing had happened.
    missing = sorted(prefix + key for key in report["missing_keys"])
    if missing:
        raise InputError(
            "weights are missing",
            where=name,
            got=f"no {shown(missing)}",
            expected=f"the weights of a {type(model).__name__}",
            cure="Check that the folder is complete and that its config.json belongs to it.",
        )
    return _faithful(model.eval()), set(report["unexpected_keys"])
