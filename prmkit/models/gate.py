"""Whether an architecture computes here what it computes alone: tried on a small random model of its kind.

Numbers are compared, and no list of names is kept. The small model has the layers of the real one, with windows and
original contexts of a few tokens, so that rows of some forty tokens go beyond all of them. What was found is kept in
``$PRMKIT_CACHE/checks`` for an architecture, its settings and the versions of all that decides it.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel

from prmkit.models.loading import quiet
from prmkit.models.twin import likeness, twin
from prmkit.run.activity import busy
from prmkit.run.checks import note
from prmkit.run.files import cache_folder, write_json
from prmkit.run.record import code_hash, versions

TOLERANCE = 1e-3
"""Relative difference in float32 from which two ways to compute something differ; rounding makes some 1e-6."""

FAILURES = (
    RuntimeError,
    TypeError,
    ValueError,
    IndexError,
    KeyError,
    AttributeError,
    AssertionError,
)
"""What a model raises that was asked for what it does not know."""

_CODE = ("kv", "models", "packing/sequence.py", "packing/batch.py")


class Finding(BaseModel):
    """What was found: the relative ``difference`` of what was compared, the way that was ``chosen`` where there are
    several, and the ``fault`` if none will do.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    question: str = Field(description="what was asked")
    architecture: str = Field(description="of which model type")
    settings: dict[str, Any] = Field({}, description="under which settings")
    difference: float | None = Field(None, description="relative difference in float32; 0.001 is too much")
    chosen: str | None = Field(None, description="the way that will do")
    fault: str | None = Field(None, description="why none will do")


Answer = tuple[float | None, str | None, str | None]
"""Difference, what is chosen, and the fault."""


def find(
    question: str, config: PretrainedConfig, look: Callable[[PreTrainedModel], Answer], **settings: Any
) -> Finding:
    """What ``look`` finds in a small model of the kind of ``config``, or found when it was last asked.

    Args:
        question: what is asked; with the settings, it stands for ``look``.
        config: of the real model.
        look: told the small one, a backbone in float32 on the CPU; a failure of the model is its answer, too.
        settings: what the answer depends on, as JSON types.
    """
    try:
        small = likeness(config)
    except FAILURES as error:
        small, failure = None, said(error)
    place = cache_folder() / "checks" / f"{_key(question, small or config, settings)}.json"
    finding = _read(place)
    if finding is None:
        with busy(f"trying a small {config.model_type}"), quiet(), torch.random.fork_rng():
            try:
                answer = look(twin(small)) if small is not None else (None, None, failure)
            except torch.OutOfMemoryError:  # which says nothing of the architecture
                raise
            except FAILURES as error:
                answer = None, None, said(error)
        difference, chosen, fault = answer
        finding = Finding(
            question=question,
            architecture=config.model_type,
            settings=settings,
            difference=difference,
            chosen=chosen,
            fault=fault,
        )
        _keep(place, finding)
    note(finding.model_dump(mode="json"))
    return finding


def relative(got: Tensor, expected: Tensor) -> float:
    """How far two tensors are apart, for the size of the second."""
    return float((got.detach() - expected).norm() / expected.norm())


def first_that_agrees(ways: Sequence[str], apart: Callable[[str], float], fault: str) -> Answer:
    """The first way whose difference is rounding; where there is none, the least difference or the last failure.

    Args:
        ways: to try, the best first.
        apart: the difference that a way makes.
        fault: what is said of the difference if no way will do, with a place for it.
    """
    said_last, least = None, None
    for way in ways:
        try:
            difference = apart(way)
        except torch.OutOfMemoryError:
            raise
        except FAILURES as error:
            said_last = said(error)
            continue
        if difference < TOLERANCE:
            return difference, way, None
        least = difference if least is None else min(least, difference)
    return least, None, fault.format(f"{least:.1g}") if least is not None else said_last


def said(error: BaseException) -> str:
    """The first line of an error, with its kind where that is more than the words."""
    line = (str(error).splitlines() or [""])[0]
    known = line and isinstance(error, RuntimeError | ValueError)
    return line if known else f"{type(error).__name__}: {line}".removesuffix(": ")


def _key(question: str, config: PretrainedConfig, settings: dict[str, Any]) -> str:
    decides = {
        "question": question,
        "settings": settings,
        "config": {name: value for name, value in config.to_dict().items() if name != "_name_or_path"},
        "versions": versions() | {"code": code_hash(*_CODE)},
    }
    return hashlib.sha256(json.dumps(decides, sort_keys=True, default=str).encode()).hexdigest()[:32]


def _read(place: Path) -> Finding | None:
    try:
        return Finding.model_validate_json(place.read_bytes())
    except (OSError, ValidationError):
        return None


def _keep(place: Path, finding: Finding) -> None:
    try:
        write_json(place, finding.model_dump(mode="json"))
    except OSError:  # a cache that cannot be written costs time alone
        return
