"""Loading of pretrained backbones and tokenizers, with every refusal as one InputError."""

from pathlib import Path
from typing import Any, cast

import torch
from transformers import (
    MODEL_MAPPING,
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
)

from prmkit.errors import InputError
from prmkit.models.attention import faithful_attention
from prmkit.models.causes import not_causal, refusals
from prmkit.models.context import settle_rope
from prmkit.models.folder import check_architecture, check_folder, check_weights
from prmkit.models.loading import loading, move, quiet
from prmkit.models.names import model_folder
from prmkit.models.tokenizer import load_tokenizer


def load_config(name: str) -> PretrainedConfig:
    """The config of a causal language model, without its weights. Code that comes with a model is never run.

    Args:
        name: local folder, ``org/name`` or ``org/name@revision``.

    Raises:
        InputError: there is no such model, or it is of another kind.
    """
    return _config(model_folder(name, weights=False), name)


def load_text_config(name: str) -> PretrainedConfig:
    """The config of the language model in a model that may read more than text, for who has it run elsewhere.

    Args:
        name: local folder, ``org/name`` or ``org/name@revision``.

    Raises:
        InputError: there is no such model, or transformers does not know it.
    """
    return _read_config(model_folder(name, weights=False), name).get_text_config()


def load_backbone(
    name: str, dtype: torch.dtype | None, *, prefix: str = "", **options: Any
) -> tuple[PreTrainedModel, set[str]]:
    """A model without its LM head, in evaluation mode on the CPU, and the stored keys that it has no place for.

    Args:
        name: local folder, ``org/name`` or ``org/name@revision``. Code that comes with a model is never run.
        dtype: of the parameters; None keeps the stored one.
        prefix: what stands before the backbone's own keys in the stored names.
        options: further arguments of transformers' ``from_pretrained``.

    Raises:
        InputError: the folder is missing, holds no model, or holds weights of another architecture.
    """
    return _load(AutoModel, name, dtype, prefix=prefix, **options)


def empty_backbone(name: str, dtype: torch.dtype) -> PreTrainedModel:
    """A model without its LM head and without memory for its weights, in evaluation mode.

    Raises:
        InputError: there is no such model.
    """
    folder = model_folder(name, weights=False)
    config = _config(folder, name)
    with refusals("model", name, folder):
        with torch.device("meta"):
            made: Any = AutoModel.from_config(config, dtype=dtype, trust_remote_code=False)
        with quiet():  # as if it were loaded, since transformers then keeps some weights in float32
            model: PreTrainedModel = type(made).from_pretrained(
                None, config=config, dtype=dtype, state_dict=made.state_dict(), device_map="meta"
            )
    return _faithful(model.eval())


def stored_folder(name: str) -> Path:
    """The folder on this machine with the weights of a model, fetched if need be.

    Raises:
        InputError: there is no such model, or its weights are not all there, cut off or quantised.
    """
    folder = model_folder(name)
    check_folder(folder, name)
    check_weights(folder, name)
    return folder


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
    folder = model_folder(name)
    config = _config(folder, name)
    check_weights(folder, name)
    # The prefix of its architecture transformers takes off by itself, after other changes of names.
    own = f"{cast(Any, MODEL_MAPPING[type(config)]).base_model_prefix}." if prefix else ""
    if own != prefix:
        options["key_mapping"] = {"^" + prefix.replace(".", r"\."): own}
    with refusals("model", name, folder), loading(name):
        model, report = kind.from_pretrained(
            folder, config=config, dtype=dtype or "auto", output_loading_info=True, trust_remote_code=False, **options
        )
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


def _config(folder: Path, name: str) -> PretrainedConfig:
    """The config of a folder, if it is that of a causal language model."""
    config = _read_config(folder, name)
    kind = config.model_type
    if config.get_text_config() is not config:
        raise not_causal(kind, "a model that reads more than text", name)
    if getattr(config, "is_encoder_decoder", False):
        raise not_causal(kind, "an encoder with a decoder", name)
    # Encoders can be decoders too, where their config says so.
    if kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES and not getattr(config, "is_decoder", False):
        raise not_causal(kind, "an encoder, which reads a text from both sides", name)
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise not_causal(kind, "a model of another kind", name)
    return config


def _read_config(folder: Path, name: str) -> PretrainedConfig:
    check_architecture(check_folder(folder, name), name)
    with refusals("config", name, folder):
        config: PretrainedConfig = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    # How attention and experts are computed is no part of a model; and a name like org/kernel would be code.
    config._attn_implementation = None
    config._experts_implementation = None
    return config
