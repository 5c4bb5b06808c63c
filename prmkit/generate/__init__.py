"""The generator seam: prompts in token ids go in, sampled continuations come out."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prmkit.errors import InputError
from prmkit.generate.config import ChatEngine, CustomEngine, GeneratorEngine, OpenAIEngine, TransformersEngine
from prmkit.generate.format import PolicyFormat
from prmkit.generate.stop import StepStop
from prmkit.models.config import Device, Memory, NamedModel
from prmkit.seam import Seam
from prmkit.tree import Finish

if TYPE_CHECKING:  # recipes bind without the seconds that importing a tokenizer library takes
    from prmkit.generate.speaker import Speaker

_Reply = TypeVar("_Reply")

GENERATORS = Seam(
    "generator engine",
    {
        "transformers": "prmkit.generate.transformers:load_generator",
        "vllm": "prmkit.generate.vllm:load_generator",
        "openai": "prmkit.generate.openai:load_generator",
        "chat": "prmkit.generate.chat:load_generator",
    },
)
"""Each takes a GeneratorConfig and returns a Generator and the Speaker that goes with it."""


class Sampling(BaseModel):
    """How continuations are drawn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float = Field(1.0, ge=0.0, description="0 takes the likeliest token")
    top_p: float = Field(1.0, gt=0.0, le=1.0, description="probability mass that is kept")
    max_tokens: int = Field(2048, ge=1, description="longest continuation in tokens")


class GeneratorConfig(BaseModel):
    """A policy and the engine that runs it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="folder or org/name[@revision] of a causal LM; of engine chat: its name there")
    format: PolicyFormat = Field(PolicyFormat(), description="text around the problem, steps and thoughts")
    sampling: Sampling = Field(Sampling(), description="how continuations are drawn")
    engine: GeneratorEngine = Field(TransformersEngine(), description="what runs it")
    dtype: Literal["float32", "bfloat16"] = Field("float32", description="parameter type")
    max_rows: int = Field(256, ge=1, description="rows that a local engine decodes together")
    device: Device = None
    memory: Memory = None

    @model_validator(mode="after")
    def _says_what_a_chat_server_can_be_told(self) -> "GeneratorConfig":
        if not isinstance(self.engine, ChatEngine):
            return self
        format, thoughts = self.format, self.format.thoughts
        if format.template not in (None, "chat") or format.template_file or format.date:
            raise ValueError(
                "with engine chat the server's own template is used: leave out format.template, template_file and date"
            )
        if thoughts.max_tokens is not None or thoughts.min_tokens:
            raise ValueError(
                "a thought is closed or prolonged by token ids, which engine chat has none of: take engine openai or "
                "vllm for format.thoughts.max_tokens and min_tokens"
            )
        return self

    @property
    def named_model(self) -> NamedModel | None:
        """The policy; behind a server its tokenizer. What an engine of somebody's own is told may be no model."""
        if isinstance(self.engine, OpenAIEngine):
            return NamedModel("tokenizer", self.name, weights=False)
        if isinstance(self.engine, CustomEngine) and not Path(self.name, "config.json").is_file():
            return None
        return NamedModel("policy", self.name) if self.has_tokenizer else None

    @property
    def has_tokenizer(self) -> bool:
        """Whether ``name`` is a model with its tokenizer, on this machine or the hub."""
        return not isinstance(self.engine, ChatEngine)


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """Sampled token ids, without the end-of-sequence token, and why they ended.

    Where the end of a step ended them, the token that completed it is the last one. ``exact`` says that they are the
    tokens that the model wrote, and not those that a tokenizer makes of a text which a server answered.
    """

    ids: tuple[int, ...]
    finish: Finish
    exact: bool = True

    @property
    def tokens(self) -> int:
        """How many tokens were written, without the end of the sequence."""
        return len(self.ids)


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

    A request whose task is cancelled is dropped by the engine at its next step. An engine that has a ``meter`` (see
    prmkit.generate.meter) shows how fast it is also while its requests are under way. One that has a ``context``, the
    tokens of the longest prompt and continuation together, is never asked where nothing fits.
    """

    async def generate(
        self,
        prompt_ids: Sequence[int],
        n: int,
        *,
        sampling: Sampling,
        seed: int,
        stop: StepStop | None = None,
        drawn: int = 0,
    ) -> Generation:
        """``n`` independent continuations of a prompt, each up to the end of the sequence, or of the step (``stop``).

        Of the prompt the last ``drawn`` tokens are what an earlier request with the same seed drew: what follows takes
        other random numbers, and, where the engine's are its own, those that the earlier request would have taken.

        The same (prompt, sampling, seed) gives the same continuations whatever else the engine does meanwhile, up to
        the rounding of floating-point sums.

        Raises:
            TooLong: the prompt leaves no room in the context.
            InputError: the prompt is empty.
        """
        ...


class TooLong(InputError):
    """A prompt that fills the context, so that nothing can be added to it.

    It is the fault of one problem or path, and no other request of the engine meets it.

    Args:
        what: the fault.
        where: whose prompt it is.
        tokens: of the prompt; None where only a server knows.
        context: tokens that the model can read; None where only a server knows.
    """

    def __init__(
        self,
        what: str = "the prompt fills the context",
        *,
        where: object = None,
        tokens: int | None = None,
        context: int | None = None,
    ) -> None:
        told = {} if tokens is None else {"got": f"{tokens} tokens"}
        super().__init__(what, where=where, expected="" if context is None else f"fewer than {context}", **told)
        self.context = context


def load_generator(config: GeneratorConfig) -> "tuple[Generator, Speaker]":
    """The policy of a recipe, running, and what speaks to it.

    Raises:
        InputError: the model, the engine or its options are wrong.
        RunError: the engine did not start.
    """
    if getattr(config.engine, "workers", "here") == "ray":
        from prmkit.generate.replicas import replicated_generator

        return replicated_generator(config)
    return cast("tuple[Generator, Speaker]", GENERATORS.load(config.engine.name)(config))


def check_prompt(prompt_ids: Sequence[int], context: int | None) -> None:
    """Refuse a prompt to which nothing can be added. ``context`` is None where only the server knows it.

    Raises:
        TooLong: it fills the context.
        InputError: it is empty.
    """
    if not prompt_ids:
        raise InputError("empty prompt", expected="at least one token")
    if context is not None and len(prompt_ids) >= context:
        raise TooLong(tokens=len(prompt_ids), context=context)


def context_of(generator: object) -> int | None:
    """The context of a generator in tokens; None for one that does not tell it in the tokens of its prompts."""
    found = getattr(generator, "context", None)
    return found if isinstance(found, int) else None


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
