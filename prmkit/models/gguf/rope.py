"""How far apart a model sees its positions: GGUF's ways to stretch a context, in the words of a transformers config.

transformers reads the base of the frequencies from a GGUF file and leaves the stretching out, without a word.
"""

from collections.abc import Sequence
from math import isclose, pi
from typing import Any

from prmkit.errors import InputError
from prmkit.models.gguf.header import Header

FACTORS = "rope_freqs.weight"
"""The tensor that holds what each frequency is divided by, in models of Llama 3.1 and later."""

_LLAMA_3 = {"low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192}
"""As every Llama 3 says it; a GGUF file holds only what follows from it."""

_YARN = {"type", "factor", "original_context_length", "finetuned"}


def rope_scaling(header: Header, factors: Sequence[float] | None) -> dict[str, Any]:
    """What ``rope_parameters`` must say beside the base; nothing where the context is not stretched.

    Args:
        header: of the file.
        factors: the values of ``rope_freqs.weight``, if the file has it.

    Raises:
        InputError: the context is stretched in a way that is not known here.
    """
    if factors is not None:
        return _llama3(header, factors)
    kind = header.of_model("rope.scaling.type", str) or "none"
    prefix = f"{header.architecture}.rope.scaling."
    told = {key.removeprefix(prefix) for key in header.metadata if key.startswith(prefix)}
    factor = header.of_model("rope.scaling.factor", float)
    if kind == "none" or factor == 1.0:
        return {}
    if kind == "linear" and factor is not None:
        return {"rope_type": "linear", "factor": factor}
    original = header.of_model("rope.scaling.original_context_length", int)
    if kind == "yarn" and factor is not None and original is not None and told <= _YARN:
        return {"rope_type": "yarn", "factor": factor, "original_max_position_embeddings": original}
    raise _unknown(header, f"{kind} with {', '.join(sorted(told))}")


def _llama3(header: Header, factors: Sequence[float]) -> dict[str, Any]:
    """Llama 3's way, if the factors are those that follow from it."""
    scaling = {"rope_type": "llama3", "factor": max(factors, default=1.0), **_LLAMA_3}
    expected = _llama3_factors(_frequencies(header), scaling)
    if all(factor == 1.0 for factor in factors) and factors:
        return {}
    if len(expected) != len(factors) or not all(map(_close, expected, factors)):
        raise _unknown(header, f"a tensor {FACTORS} that is not Llama 3's")
    return scaling


def _llama3_factors(frequencies: Sequence[float], scaling: dict[str, Any]) -> list[float]:
    """1 for the short waves, the full factor for the long ones, and between them what passes smoothly."""
    low, high = scaling["low_freq_factor"], scaling["high_freq_factor"]
    factors = []
    for frequency in frequencies:
        waves = scaling["original_max_position_embeddings"] * frequency / (2 * pi)
        share = min(max((waves - low) / (high - low), 0.0), 1.0)
        factors.append(1 / ((1 - share) / scaling["factor"] + share))
    return factors


def _frequencies(header: Header) -> list[float]:
    base = header.of_model("rope.freq_base", float) or 10000.0
    width = header.of_model("rope.dimension_count", int)
    if width is None:
        heads = header.of_model("attention.head_count", int)
        width = (header.of_model("embedding_length", int) or 0) // heads if heads else 0
    return [base ** (-index / width) for index in range(0, width, 2)]


def _close(one: float, other: float) -> bool:
    return isclose(one, other, rel_tol=1e-4)


def _unknown(header: Header, got: str) -> InputError:
    return InputError(
        "the context is stretched in a way that is not read here",
        where=header.path,
        got=got,
        expected="linear, yarn with its defaults, or Llama 3's",
    )
