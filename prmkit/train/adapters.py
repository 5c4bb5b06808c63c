"""Low-rank adapters (LoRA, QLoRA) on a PRM's backbone, by peft."""

import warnings
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
from prmkit.train.adapter_targets import AdapterTargets, adapter_targets
from prmkit.train.config import LoraConfig


def adapted(name: str, model: ModelConfig, lora: LoraConfig) -> tuple[PRM, AdapterTargets]:
    """A PRM whose backbone is frozen but for its adapters, and what has them; its head is trained as always.

    Raises:
        InputError: as PRM.from_backbone and ``adapter_targets``, 4 bits are not possible here, or experts shall have
            dropout.
    """
    prm = PRM.from_backbone(name, model, **_quantization(model, lora))
    targets = adapter_targets(cast(nn.Module, prm.model), lora.targets)
    if targets.stacks and lora.dropout:
        raise InputError(
            "adapters of experts have no dropout",
            where="train.lora.dropout",
            got=lora.dropout,
            cure=f"Set it to 0, or leave {', '.join(lora.targets)} out of train.lora.targets where they are experts.",
        )
    config = PeftConfig(
        r=lora.rank,
        lora_alpha=cast(Any, lora.alpha),
        lora_dropout=lora.dropout,
        target_modules=[f"model.{target}" for target in targets.maps],
        target_parameters=[f"model.{target}" for target in targets.stacks],
    )
    # Given a bare backbone, peft would move the maps of dense layers and shared experts of a mixture to its experts.
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "fan_in_fan_out is set", UserWarning)  # it finds out and says that it did
        inject_adapter_in_model(config, prm)
    prm.score.requires_grad_(requires_grad=True)
    if lora.quantize != "none":
        for part in prm.model.modules():
            # On some CPUs bitsandbytes repacks weights in its first forward pass without gradients (a validation), for
            # widths that are multiples of 64 alone, and in bf16. What is validated shall be what is trained.
            if hasattr(part, "support_avx512bf16_for_cpu"):
                cast(Any, part).support_avx512bf16_for_cpu = False
        # What peft does for quantised models: the first activations must carry gradients to the adapters.
        prm.model.enable_input_require_grads()
    return prm, targets


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
