"""Copies of an engine on a Ray cluster.

Each copy is an actor that holds a whole engine. Requests of one problem go to one copy, whose prefix cache then serves
them; those of a copy that is lost go to another.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from functools import partial
from typing import Any

from prmkit.cluster import connect
from prmkit.errors import InputError, PrmkitError, RunError
from prmkit.generate import Generation, GeneratorConfig, Sampling, check_prompt, load_generator
from prmkit.generate.config import LocalEngine, VllmEngine
from prmkit.generate.likely import NextTokens
from prmkit.generate.stop import StepStop
from prmkit.generate.text import PolicyText
from prmkit.models.tokenizer import load_tokenizer
from prmkit.run.activity import busy

_IN_FLIGHT = 10_000
"""Requests that an actor holds at once; the engine in it decides how many it runs."""


class Replicas:
    """Actors that answer the same requests.

    Args:
        engine: how many copies, and the GPUs of each.
        build: makes the engine, in the actor.

    Raises:
        InputError: Ray is not installed, or the cluster has not the GPUs.
        RunError: no copy started.
    """

    def __init__(self, engine: LocalEngine, build: Callable[[], Any]) -> None:
        self._ray = ray = connect()
        gpus = _gpus_of(engine, ray.available_resources().get("GPU", 0.0))
        # No CPU is claimed: an engine that stays would keep it, and the next one would wait for ever.
        actor = ray.remote(_Replica).options(
            num_cpus=0, num_gpus=gpus, max_concurrency=_IN_FLIGHT, scheduling_strategy="SPREAD"
        )
        self.live = [actor.remote(build) for _ in range(engine.replicas)]
        self._home: dict[Hashable, Any] = {}
        self._load: Counter[Any] = Counter()
        try:
            with busy(f"{engine.replicas} engines are starting on the Ray cluster"):
                ray.get([one.start.remote() for one in self.live])
        except ray.exceptions.RayError as error:
            if isinstance(getattr(error, "cause", None), PrmkitError):
                raise error.cause from None
            reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise RunError(f"no engine started on the Ray cluster ({reason})") from None

    async def call(self, problem: Hashable, method: str, *arguments: Any, **options: Any) -> Any:
        """What the method of an engine returns; asked of another copy where one is lost.

        Args:
            problem: requests with the same one go to the same copy.
            method: name of a coroutine of the engine.
            arguments: of the method.
            options: of the method.

        Raises:
            RunError: no copy is left.
        """
        while True:
            replica = self._choose(problem)
            self._load[replica] += 1
            request = replica.call.remote(method, *arguments, **options)
            try:
                return await request
            except asyncio.CancelledError:
                self._ray.cancel(request)
                raise
            except self._ray.exceptions.RayTaskError as error:
                if isinstance(error.cause, PrmkitError):
                    raise error.cause from None
                raise
            except (self._ray.exceptions.RayActorError, self._ray.exceptions.WorkerCrashedError):
                if replica in self.live:
                    self.live.remove(replica)
            finally:
                self._load[replica] -= 1

    def _choose(self, problem: Hashable) -> Any:
        if not self.live:
            raise RunError("all Ray actors are lost. Look at the cluster, then go on with --resume.")
        home = self._home.get(problem)
        if home not in self.live:
            homes = Counter(self._home.values())
            home = min(self.live, key=lambda one: (self._load[one], homes[one]))
            self._home[problem] = home
        return home


class _Replica:
    """One engine, in an actor."""

    def __init__(self, build: Callable[[], Any]) -> None:
        self._build = build

    async def start(self) -> None:
        """Make the engine. Not done on creation, because Ray tells errors of a method as they are."""
        self._engine = self._build()

    async def call(self, method: str, *arguments: Any, **options: Any) -> Any:
        """What the method of the engine returns."""
        return await getattr(self._engine, method)(*arguments, **options)


class ReplicatedGenerator:
    """A generator in many copies. A problem is known by the first prompt that was seen of it."""

    def __init__(self, replicas: Replicas) -> None:
        self._replicas = replicas
        self._problems: dict[int, set[tuple[int, ...]]] = {}

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
        """See Generator.generate."""
        check_prompt(prompt_ids, None)  # an empty one would be the first prompt of every problem
        generation: Generation = await self._replicas.call(
            self._problem(prompt_ids),
            "generate",
            tuple(prompt_ids),
            n,
            sampling=sampling,
            seed=seed,
            stop=stop,
            drawn=drawn,
        )
        return generation

    async def next_tokens(self, prompt_ids: Sequence[int], top: int) -> NextTokens:
        """See TellsNextTokens."""
        check_prompt(prompt_ids, None)
        found: NextTokens = await self._replicas.call(self._problem(prompt_ids), "next_tokens", tuple(prompt_ids), top)
        return found

    def _problem(self, prompt_ids: Sequence[int]) -> tuple[int, ...]:
        for length, known in self._problems.items():
            start = tuple(prompt_ids[:length])
            if start in known:
                return start
        self._problems.setdefault(len(prompt_ids), set()).add(tuple(prompt_ids))
        return tuple(prompt_ids)


def replicated_generator(config: GeneratorConfig) -> tuple[ReplicatedGenerator, PolicyText]:
    """The policy of a recipe on a Ray cluster, and the text in which it is spoken to.

    Raises:
        InputError: the model, the engine or its options are wrong.
        RunError: no copy started.
    """
    assert isinstance(config.engine, LocalEngine)
    text = PolicyText(load_tokenizer(config.name), config.format)
    return ReplicatedGenerator(Replicas(config.engine, partial(_build_generator, at_home(config)))), text


def at_home(config: Any) -> Any:
    """The same config, for the engine inside an actor."""
    engine = config.engine.model_copy(update={"workers": "here", "replicas": 1, "gpus": None})
    return config.model_copy(update={"engine": engine})


def _build_generator(config: GeneratorConfig) -> Any:
    return load_generator(config)[0]


def _gpus_of(engine: LocalEngine, there: float) -> float:
    needed = engine.tensor_parallel_size * engine.pipeline_parallel_size if isinstance(engine, VllmEngine) else 1
    gpus = engine.gpus if engine.gpus is not None else needed if there else 0
    if gpus * engine.replicas > there:
        raise InputError(
            "the Ray cluster has too few free GPUs",
            got=there,
            expected=f"{engine.replicas} replicas x {gpus:g}",
            cure="Set engine.replicas or engine.gpus lower.",
        )
    return float(gpus)
