"""The compute behind a PRM: what its backbone's pre-training took, and what its own training takes.

The x-axes of the paper's Figures 1 and 2.
"""

from typing import Literal

from transformers import PretrainedConfig

from prmkit.models.flops import ForwardFlops, parameters
from prmkit.packing.batch import StepBatch

PRETRAINING_TOKENS = {
    # arXiv 2412.15115, section 3: "from the previous 7 trillion tokens to 18 trillion tokens".
    "qwen2.5-": 18e12,
    # arXiv 2409.12122: Qwen Math Corpus v2, over 1 trillion tokens, on top of Qwen2.5.
    "qwen2.5-math-": 19e12,
    # arXiv 2409.12186: over 5.5 trillion tokens on top of Qwen2.5.
    "qwen2.5-coder-": 23.5e12,
}
"""Tokens of pre-training by the beginning of a model's name, in small letters."""


def pretraining_flops(name: str, config: PretrainedConfig) -> float | None:
    """6 N D for a backbone whose token count is published, else None.

    Args:
        name: hub id or folder; its last part is the name of the model.
        config: the model's, of which the parameters are counted.

    Source: Kaplan et al. 2020, arXiv 2001.08361, section 2.1.
    """
    short = name.partition("@")[0].rstrip("/").rpartition("/")[2].lower()
    known = [start for start in PRETRAINING_TOKENS if short.startswith(start)]
    return 6.0 * parameters(config) * PRETRAINING_TOKENS[max(known, key=len)] if known else None


def training_flops(batch: StepBatch, cost: ForwardFlops, *, backbone: Literal["trained", "adapted", "read"]) -> float:
    """The operations of forward and backward pass on a batch, padding and recomputed activations left out.

    A backward pass costs twice the forward pass: one for the gradient of the inputs, one for that of the weights. Where
    adapters are trained, the weights have none; where the backbone is only read, it has no backward pass.
    """
    linear, attention = batch.tokens * cost.per_token, batch.pairs * cost.per_pair
    head = int(batch.steps_B.sum()) * cost.per_read
    linear_passes, attention_passes = {"trained": (3, 3), "adapted": (2, 3), "read": (1, 1)}[backbone]
    return linear_passes * linear + attention_passes * attention + 3 * head
