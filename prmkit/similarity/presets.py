"""The choices of two papers, and what of them is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

PresetName = Literal["paper", "wang2025", "wang2025-code"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preset:
    """Values of a configuration; which of them the source states, and which had to be inferred."""

    values: Mapping[str, Any]
    known: tuple[str, ...]
    inferred: tuple[str, ...]


_WANG_KNOWN = (
    "F is the largest next-token logit at the last position (Wang et al. 2025, AAAI-25, and its code).",
    "Patterns are compared layer by layer; a score is the mean of the cosines of layers L/2 to L-3 (Figure 6).",
)
_WANG_INFERRED = (
    "Wang et al. pair 64 inputs one to one; here every pair of the two sets counts, which has the same expectation.",
    "Wang et al. read raw prompts; here a response is read after its problem, without its end token.",
)

PRESETS: Mapping[str, Preset] = {
    "paper": Preset(
        values={"target": "max_logit", "parameters": "linear", "layers": None, "normalise": "whole"},
        known=(
            "A = |theta * dF/dtheta| over concatenated parameters (the paper, section Pattern Similarity).",
            "Table 2 compares responses of Qwen2.5-Coder-32B-Instruct: all of them, and those a PRM selected.",
        ),
        inferred=(
            "F: the largest next-token logit after the last content token, as in the cited Wang et al. 2025.",
            "The reference model: the paper says whose responses they are, not which model reads them.",
            "The score: the mean cosine; the formula is a sum, which would grow with the sets.",
            "Every matrix of every decoder layer; one cosine over all of them; the problem is part of the input.",
        ),
    ),
    "wang2025": Preset(
        values={"target": "max_logit", "parameters": "linear", "layers": "deep", "normalise": "layer"},
        known=_WANG_KNOWN,
        inferred=_WANG_INFERRED,
    ),
    "wang2025-code": Preset(
        values={"target": "max_logit", "parameters": "wang2025-code", "layers": "deep", "normalise": "layer"},
        known=(
            *_WANG_KNOWN,
            "The published code drops tensors with a side above 15,000. On Qwen2.5-7B and larger that drops the whole "
            "MLP, which its authors cannot have meant; on their Llama models it drops the embedding.",
        ),
        inferred=_WANG_INFERRED,
    ),
}
