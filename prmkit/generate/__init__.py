"""The generator seam: prompts in token ids go in, sampled continuations come out."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field

from prmkit.errors import InputError
from prmkit.generate.config import GeneratorEngine, TransformersEngine
from prmkit.models.config import Device, Memory
from prmkit.packing.format import StepFormat
from prmkit.seam import Seam
from prmkit.tree import Finish

if TYPE_CHECKING:  # recipes bind without the seconds that importing a tokenizer library takes
    from prmkit.packing.encode import StepEncoder

_Reply = TypeVar("_Reply")

GENERATORS = Seam(
    "generator engine",
    {
        "transformers": "prmkit.generate.transformers:load_generator",
        "vllm": "prmkit.generate.vllm:load_generator",
        "openai": "prmkit.generate.openai:load_generator",
    },
)
"""Each takes a GeneratorConfig and returns a Generator and the encoder that speaks the policy's format."""


class Sampling(BaseModel):
    """How continuations are drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(1.0, ge=0.0, description="0 takes the likeliest token")
    top_p: float = Field(1.0, gt=0.0, le=1.0, description="probability mass that is kept")
    max_tokens: int = Field(2048, ge=1, description="longest continuation in tokens")


class GeneratorConfig(BaseModel):
    """A policy and the engine that runs it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="hub id or local folder of a causal LM")
    format: StepFormat = Field(StepFormat(), description="text around the problem, and what ends a step")
    sampling: Sampling = Field(Sampling(), description="how continuations are drawn")
    engine: GeneratorEngine = Field(TransformersEngine(), description="what runs it")
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="parameter type")
    max_rows: int = Field(256, ge=1, description="rows that a local engine decodes together")
    device: Device = None
    memory: Memory = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """Sampled token ids, without the end-of-sequence token, and why they ended.

    Where the stop string ended them, the token that completed it is the last one.
    """

    ids: tuple[int, ...]
    finish: Finish


@dataclass(frozen=True, slots=True, kw_only=True)
class Generation:
    """The continuations of one request and what they cost.

    ``cached_tokens`` counts prompt tokens read from a cache, ``prefill_tokens`` those computed, ``decode_tokens``
    sampled tokens (ends included). ``flops`` are those of what was computed, where the engine knows how much of it the
    samples shared, and NaN where it cannot know any.
    """

    continuations: tuple[Continuation, ...]
    cached_tokens: int
    prefill_tokens: int
    decode_tokens: int
    flops: float


class Generator(Protocol):
    """Draws continuations. The engine batches requests; callers send one at a time and await it.

    A request whose task is cancelled is dropped by the engine at its next step.
    """

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: str | None = None
    ) -> Generation:
        """``n`` independent continuations of a prompt, each up to the end of the sequence or of the string ``stop``.

        The same (prompt, sampling, seed) gives the same continuations whatever else the engine does meanwhile, up to
        the rounding of floating-point sums.

        Raises:
            InputError: the prompt is empty or leaves no room in the context.
        """
        ...


def load_generator(config: GeneratorConfig) -> "tuple[Generator, StepEncoder]":
    """The policy of a recipe, running, and the encoder that speaks its format.

    Raises:
        InputError: the model, the engine or its options are wrong.
        RunError: the engine did not start.
    """
    if getattr(config.engine, "workers", "here") == "ray":
        from prmkit.generate.replicas import replicated_generator

        return replicated_generator(config)
    return cast("tuple[Generator, StepEncoder]", GENERATORS.load(config.engine.name)(config))


def check_prompt(prompt_ids: Sequence[int], context: int | None) -> None:
    """Refuse a prompt to which nothing can be added. ``context`` is None where only the server knows it.

    Raises:
        InputError: it is empty or fills the context.
    """
    if not prompt_ids:
        raise InputError("empty prompt", expected="at least one token")
    if context is not None and len(prompt_ids) >= context:
        raise InputError(
            "the prompt fills the context", got=f"{len(prompt_ids)} tokens", expected=f"fewer than {context}"
        )


async def together(work: Iterable[Coroutine[Any, Any, _Reply]]) -> list[_Reply]:
    """The results of requests that are worth nothing apart, in their order.

    The first error cancels the others and is raised as it is.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one) for one in work]
    except BaseExceptionGroup as error:
        raise error.exceptions[0] from None
    return [task.result() for task in tasks]
