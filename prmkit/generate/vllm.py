"""The vLLM engine: the one file that imports vLLM.

An engine runs in a process of its own, with continuous batching and a prefix cache; ``VllmGenerator`` samples with it,
``prmkit.score.vllm`` reads rewards from it.
"""

import itertools
import os
import sys
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import torch
from transformers import AutoModelForCausalLM

from prmkit.errors import InputError, RunError
from prmkit.generate import Continuation, Generation, GeneratorConfig, Sampling, check_prompt, together
from prmkit.generate.by_strings import up_to_step
from prmkit.generate.config import VllmEngine
from prmkit.generate.likely import Likely, NextTokens
from prmkit.generate.meter import Meter
from prmkit.generate.stop import StepStop
from prmkit.generate.stops import TokenTexts
from prmkit.generate.text import PolicyText
from prmkit.models.backbone import load_config, load_tokenizer
from prmkit.models.flops import ForwardFlops, forward_flops
from prmkit.models.loading import described
from prmkit.run.activity import busy
from prmkit.run.seeds import derived_seed

if TYPE_CHECKING:
    from vllm.outputs import PoolingRequestOutput, RequestOutput
    from vllm.v1.engine.async_llm import AsyncLLM

_GPU_SHARE = 0.45
"""Default share of a GPU: two engines fit on one."""


class Vllm:
    """One model in vLLM.

    Args:
        model: hub id or local folder.
        engine: what the recipe says of the engine.
        dtype: parameter type.
        device: its first GPU, such as cuda:1; None for the first of the machine.
        memory: its share of the GPU's memory, for weights and key-values.
        runner: ``generate`` for a language model, ``pooling`` for a PRM.
        limits: vLLM's bounds of a batch, such as ``max_num_seqs``.

    Raises:
        InputError: vLLM is not installed, or refuses the model or an option.
        RunError: its process did not start.
    """

    def __init__(
        self,
        model: str,
        engine: VllmEngine,
        *,
        dtype: str,
        device: str | None = None,
        memory: float | None = None,
        runner: Literal["generate", "pooling"] = "generate",
        limits: Mapping[str, int] | None = None,
    ) -> None:
        # Its log must not stand between the lines that a verb prints for programs.
        os.environ.setdefault("VLLM_LOGGING_STREAM", "ext://sys.stderr")
        os.environ.setdefault("VLLM_LOGGING_LEVEL", "ERROR")
        try:
            from vllm import AsyncEngineArgs
            from vllm.config import PoolerConfig
            from vllm.platforms import current_platform
            from vllm.v1.engine.async_llm import AsyncLLM
        except ImportError as error:
            raise InputError(
                f"vLLM is not installed ({error})", cure="pip install 'prmkit[vllm]', or see docs/engines.md for a CPU."
            ) from None
        arguments: dict[str, Any] = {
            "model": model,
            "dtype": dtype,
            "runner": runner,
            "enable_prefix_caching": True,
            "tensor_parallel_size": engine.tensor_parallel_size,
            "pipeline_parallel_size": engine.pipeline_parallel_size,
            "gpu_memory_utilization": memory or _GPU_SHARE,
            "max_model_len": engine.max_model_len,
            "enforce_eager": engine.enforce_eager,
            # On a CPU vLLM 0.32 dies where a seeded request is read in chunks.
            **({"enable_chunked_prefill": False} if runner == "generate" and current_platform.is_cpu() else {}),
            **(limits or {}),
            **engine.options,
            "trust_remote_code": False,  # code that comes with a model is never run
        }
        if runner == "pooling":
            # A step pooler would index the whole prompt, of which only the rows behind the cached blocks come back.
            arguments["pooler_config"] = PoolerConfig(tok_pooling_type="ALL", use_activation=False)
        self.meter = Meter()
        gpus = engine.tensor_parallel_size * engine.pipeline_parallel_size
        try:
            with _apart(device, gpus):
                self._engine = AsyncLLM.from_engine_args(
                    AsyncEngineArgs(**arguments), stat_loggers=[_counting(self.meter)]
                )
        except (TypeError, ValueError, OSError) as error:
            raise InputError(f"vLLM refuses the model or an option ({_first_line(error)})", where=model) from None
        except RuntimeError as error:
            raise RunError(f"{model}: vLLM did not start ({_first_line(error)}); its own log stands above") from None
        self.context: int = self._engine.vllm_config.model_config.max_model_len
        self.end_ids: frozenset[int] = frozenset()
        self._numbers = itertools.count()
        self.close = weakref.finalize(self, _end, self._engine)

    async def sample(
        self,
        prompt_ids: Sequence[int],
        sampling: Sampling,
        seed: int,
        stop: tuple[str, ...] = (),
        likely: int | None = None,
    ) -> "RequestOutput":
        """One continuation, up to one of the stop strings, with so many likely tokens at each place.

        A cancelled call aborts the request.
        """
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        parameters = SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            seed=seed,
            stop=list(stop),
            stop_token_ids=sorted(self.end_ids),
            skip_special_tokens=False,  # a special token may be a stop string
            include_stop_str_in_output=True,
            logprobs=likely,
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        return await self._last(
            self._engine.generate({"prompt_token_ids": list(prompt_ids)}, parameters, request_id=self._request_id())
        )

    async def rewards(self, ids: Sequence[int]) -> "PoolingRequestOutput":
        """The raw logits of the tokens that stand behind the cached blocks; the last row is that of the last token.

        A cancelled call aborts the request.
        """
        from vllm import PoolingParams

        # Unless told otherwise, this task reads nothing from the prefix cache.
        parameters = PoolingParams(task="token_classify", use_activation=False, skip_reading_prefix_cache=False)
        return await self._last(
            self._engine.encode({"prompt_token_ids": list(ids)}, parameters, request_id=self._request_id())
        )

    def _request_id(self) -> str:
        return f"prmkit-{next(self._numbers)}"

    async def _last(self, outputs: "AsyncIterator[Any]") -> Any:
        last = None
        try:
            async for output in outputs:
                last = output
        except Exception as error:  # vLLM's own kinds, of which an engine that died is one
            raise RunError(f"vLLM failed ({_first_line(error)}); its own log stands above") from None
        if last is None:
            raise RunError("vLLM ended a request without an answer")
        return last


@dataclass(frozen=True, slots=True)
class _Portion:
    """What one request of vLLM wrote."""

    prompt: int
    cached: int
    sampled: int
    continuation: Continuation


class VllmGenerator:
    """Samples with vLLM.

    Each continuation is a request of its own with its own seed, so that it does not depend on what else runs; the
    prompt that they share is computed once, up to vLLM's block size.

    Args:
        engine: a language model in vLLM.
        flops: what its forward pass costs.
        texts: what its tokens say.
    """

    def __init__(self, engine: Vllm, flops: ForwardFlops, texts: TokenTexts) -> None:
        self.meter = engine.meter
        self._engine = engine
        self._flops = flops
        self._texts = texts

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
        check_prompt(prompt_ids, self._engine.context)
        draw = partial(
            up_to_step,
            self._ask,
            self._texts,
            prompt_ids,
            sampling=sampling,
            stop=stop,
            room=self._engine.context - len(prompt_ids),
        )
        written = await together(draw(seed=derived_seed(seed, sample + n * drawn)) for sample in range(n))
        portions = [portion for _, each in written for portion in each]
        return Generation(
            continuations=tuple(continuation for continuation, _ in written),
            cached_tokens=sum(one.cached for one in portions),
            prefill_tokens=sum(one.prompt - one.cached for one in portions),
            decode_tokens=sum(one.sampled for one in portions),
            flops=sum(self._flops.of(one.prompt - one.cached, before=one.cached, read=1) for one in portions)
            # The last sampled token is not computed, and every other one is read by the LM head.
            + sum(self._flops.of(one.sampled - 1, before=one.prompt, read=one.sampled - 1) for one in portions),
        )

    async def next_tokens(self, prompt_ids: Sequence[int], top: int) -> NextTokens:
        """See TellsNextTokens. vLLM tells at most 20, unless ``engine.options`` raises ``max_logprobs``."""
        check_prompt(prompt_ids, self._engine.context)
        output = await self._engine.sample(prompt_ids, Sampling(max_tokens=1), 0, likely=top)
        found = (output.outputs[0].logprobs or [{}])[0]
        cached = output.num_cached_tokens or 0
        return NextTokens(
            tokens=tuple(Likely("".join(self._texts.of((), [token])), one.logprob) for token, one in found.items()),
            cached_tokens=cached,
            prefill_tokens=len(prompt_ids) - cached,
            flops=self._flops.of(len(prompt_ids) - cached, before=cached, read=1),
        )

    async def _ask(self, prompt_ids: Sequence[int], sampling: Sampling, seed: int, stop: tuple[str, ...]) -> _Portion:
        output = await self._engine.sample(prompt_ids, sampling, seed, stop)
        one = output.outputs[0]
        return _Portion(
            prompt=len(prompt_ids),
            cached=output.num_cached_tokens or 0,
            sampled=len(one.token_ids),
            continuation=continuation(one.token_ids, one.finish_reason, one.stop_reason),
        )


def load_generator(config: GeneratorConfig) -> tuple[VllmGenerator, PolicyText]:
    """The policy of a recipe in vLLM, and the text in which it is spoken to.

    Raises:
        InputError: vLLM is not installed, or the model or an option is wrong.
        RunError: vLLM did not start.
    """
    assert isinstance(config.engine, VllmEngine)
    text = PolicyText(load_tokenizer(config.name), config.format)
    with torch.device("meta"):
        flops = forward_flops(AutoModelForCausalLM.from_config(load_config(config.name)))
    with starting(config.name):
        engine = Vllm(
            config.name,
            config.engine,
            dtype=config.dtype,
            device=config.device,
            memory=config.memory,
            limits={"max_num_seqs": config.max_rows},
        )
    engine.end_ids = text.end_ids
    return VllmGenerator(engine, flops, TokenTexts(text.tokenizer)), text


def starting(model: str) -> AbstractContextManager[object]:
    """Say that vLLM is imported and started with a model within, which takes it a minute."""
    return busy(f"vLLM is starting: {described(model)}")


def continuation(ids: Sequence[int], finish_reason: str | None, stop_reason: int | str | None) -> Continuation:
    """What vLLM wrote, in our terms: it names a stop string as the reason, or nothing or an id for an end of sequence.

    Raises:
        RunError: the request ended in any other way, such as an abort by the server.
    """
    if finish_reason == "length":
        return Continuation(ids=tuple(ids), finish="length")
    if finish_reason == "stop":
        if isinstance(stop_reason, str):
            return Continuation(ids=tuple(ids), finish="stop")
        return Continuation(ids=tuple(ids[:-1]), finish="eos")
    raise RunError(f"vLLM ended a request for another reason, {finish_reason!r}")


def _counting(meter: Meter) -> type:
    """What vLLM tells of each step of its engine, without a stream for each request: the meter counts the tokens."""
    from vllm.v1.metrics.loggers import StatLoggerBase

    class Counting(StatLoggerBase):  # type: ignore[misc]  # untyped where vLLM is not installed
        def __init__(self, vllm_config: Any, engine_index: int = 0) -> None: ...

        def record(self, scheduler_stats: Any, iteration_stats: Any, *args: Any, **kwargs: Any) -> None:
            if iteration_stats is not None:
                read = iteration_stats.prompt_token_stats.computed
                meter.add(drawn=iteration_stats.num_generation_tokens, read=read)

        def log_engine_initialized(self) -> None: ...

    return Counting


def _end(engine: "AsyncLLM") -> None:
    engine.shutdown()
    # It would shut down once more when it is deleted, at the end of the interpreter, and trip over what is gone.
    engine.shutdown = lambda timeout=None: None


@contextmanager
def _apart(device: str | None, gpus: int) -> Iterator[None]:
    """Let a process that is started now see its own GPUs only, and print to stderr what it prints."""
    known = os.environ.get("CUDA_VISIBLE_DEVICES")
    if device is not None and device.startswith("cuda"):
        first = int(device.partition(":")[2] or 0)
        os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(str(first + index) for index in range(gpus))
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)
        os.environ.pop("CUDA_VISIBLE_DEVICES", None)
        if known is not None:
            os.environ["CUDA_VISIBLE_DEVICES"] = known


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
