"""Low-rank adapters (LoRA, QLoRA) on a PRM's backbone, by peft."""

from importlib.util import find_spec
from typing import Any, cast

import torch
from peft import LoraConfig as PeftConfig
from peft import inject_adapter_in_model
from torch import nn
from transformers import BitsAndBytesConfig

from prmkit.errors import InputError
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.train.config import LoraConfig


def adapted(name: str, model: ModelConfig, lora: LoraConfig) -> PRM:
    """A PRM whose backbone is frozen but for its adapters; its head is trained as always.

    Raises:
        InputError: as PRM.from_backbone, the targets match nothing, or 4 bits are not possible here.
    """
    prm = PRM.from_backbone(name, model, **_quantization(model, lora))
    config = PeftConfig(
        r=lora.rank,
        lora_alpha=cast(Any, lora.alpha),
        lora_dropout=lora.dropout,
        target_modules=list(lora.targets) or "all-linear",
    )
    try:
        inject_adapter_in_model(config, cast(nn.Module, prm.model))
    except ValueError as error:
        if "not found" not in str(error):
            raise
        maps = {key.rpartition(".")[2] for key, part in prm.model.named_modules() if isinstance(part, nn.Linear)}
        raise InputError(
            "no part of the backbone has such a name",
            where="train.lora.targets",
            got=list(lora.targets),
            expected=f"some of {', '.join(sorted(maps))}",
        ) from None
    if lora.quantize != "none":
        for part in prm.model.modules():
            # On some CPUs bitsandbytes repacks weights in its first forward pass without gradients (a validation), for
            # widths that are multiples of 64 alone, and in bf16. What is validated shall be what is trained.
            if hasattr(part, "support_avx512bf16_for_cpu"):
                cast(Any, part).support_avx512bf16_for_cpu = False
        # What peft does for quantised models: the first activations must carry gradients to the adapters.
        prm.model.enable_input_require_grads()
    return prm


def _quantization(model: ModelConfig, lora: LoraConfig) -> dict[str, Any]:
    if lora.quantize == "none":
        return {}
    if find_spec("bitsandbytes") is None:
        cure = "pip install 'prmkit[qlora]'"
        raise InputError("bitsandbytes is not installed", where="train.lora.quantize", cure=cure)
    dtype = getattr(torch, model.dtype)
    return {
        "quantization_config": BitsAndBytesConfig(
            load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype
        )
    }
