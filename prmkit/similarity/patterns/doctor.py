"""Can patterns be trusted on this model and this machine? Each check compares two ways to the same pattern.

Kernels of attention, batches of other shapes and short number types change a gradient; what must not change with them
is the cosine of a pattern with itself.

Source: the checks that bergson's documentation on numerical stability asks for.
"""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import torch
from torch import nn
from transformers import PreTrainedModel

from prmkit.errors import PrmkitError
from prmkit.models.context import readable
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.patterns.batches import embedding
from prmkit.similarity.patterns.engine import compare
from prmkit.similarity.response import Response
from prmkit.similarity.statistics.gram import PatternGram
from prmkit.similarity.statistics.measure import cosines

CHECKS = ("check", "found", "limit", "verdict", "about")

_PROBES = 4
_SAME = 1e-4
"""How far two ways in float32 may be apart: in the cosine of a pattern with itself, and in cosines of pairs."""

_SHORT = 5e-3
"""The same for short number types: a fourth of the gaps in the paper's Table 2."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check: how far apart two ways to the same numbers are, and how far they may be."""

    name: str
    found: float | None
    limit: float
    about: str

    @property
    def passed(self) -> bool:
        """Whether the numbers can be trusted in this respect."""
        return self.found is not None and self.found <= self.limit

    def row(self) -> tuple[Any, ...]:
        """The check as a row of a table."""
        return self.name, self.found, self.limit, "good" if self.passed else "bad", self.about


def examine(model: PreTrainedModel, *, tokens: int) -> list[Check]:
    """Run every check on random texts of up to ``tokens`` tokens. The model is left as it was."""
    probes = _probes(model, tokens)
    alone = _cosines(model, probes, engine="loop")
    short = model.dtype != torch.float32
    limit = _SHORT if short else _SAME

    def against(other: Callable[[], np.ndarray[Any, Any]]) -> tuple[float | None, str]:
        try:
            return float(np.abs(other() - alone).max()), "largest change of a cosine"
        except PrmkitError as error:
            return None, str(error)

    found = [
        ("batched against alone", limit, against(lambda: _in_pairs(model, probes))),
        ("layer by layer against alone", limit, against(lambda: _cosines(model, probes, engine="layersync"))),
        ("padding", limit, against(lambda: _padded(model, probes))),
        ("eager attention", limit, against(lambda: _eager(model, probes))),
    ]
    if short:
        found.append(
            (
                f"{str(model.dtype).removeprefix('torch.')} against float32",
                _SHORT,
                against(lambda: _wide(model, probes)),
            )
        )
    return [Check(name=name, found=far, limit=most, about=about) for name, most, (far, about) in found]


def _probes(model: PreTrainedModel, tokens: int) -> list[Response]:
    random = np.random.default_rng(0)
    longest = min(tokens, readable(model.config.get_text_config()))
    vocabulary = embedding(model).num_embeddings
    ends = model.config.eos_token_id
    last = next(token for token in range(vocabulary) if token not in ([ends] if isinstance(ends, int) else ends or []))
    probes = []
    for number in range(_PROBES):
        length = longest - number * longest // (2 * _PROBES)
        ids = (*random.integers(vocabulary, size=length - 1).tolist(), last)
        probes.append(Response(problem_id=f"probe {number}", ids=ids, prompt_length=length // 4, text=""))
    return probes


def _cosines(model: PreTrainedModel, probes: Sequence[Response], **options: Any) -> np.ndarray[Any, Any]:
    found = compare(model, {"probes": probes}, SimilarityConfig(memory_gib=64.0, **options))
    assert isinstance(found, PatternGram)
    return cosines(found)


def _in_pairs(model: PreTrainedModel, probes: Sequence[Response]) -> np.ndarray[Any, Any]:
    """Every probe in a batch with a copy of itself, so that nothing is padded."""
    tokens = 2 * max(len(probe.ids) for probe in probes)
    return _cosines(model, [*probes, *probes], engine="hooks", batch_tokens=tokens)[:_PROBES, :_PROBES]


def _padded(model: PreTrainedModel, probes: Sequence[Response]) -> np.ndarray[Any, Any]:
    """All probes in one batch, the shortest padded to twice its length."""
    tokens = len(probes) * max(len(probe.ids) for probe in probes)
    return _cosines(model, probes, engine="hooks", batch_tokens=tokens)


def _eager(model: PreTrainedModel, probes: Sequence[Response]) -> np.ndarray[Any, Any]:
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    try:
        return _cosines(model, probes, engine="loop")
    finally:
        model.set_attn_implementation(before)


def _wide(model: PreTrainedModel, probes: Sequence[Response]) -> np.ndarray[Any, Any]:
    wide = cast(PreTrainedModel, cast(nn.Module, copy.deepcopy(model)).float())
    return _cosines(wide, probes, engine="loop")
