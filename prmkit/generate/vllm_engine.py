"""The vLLM engine: the one file that imports vLLM.

It runs in a process of its own, with continuous batching and a prefix cache; ``prmkit.generate.vllm`` samples with it,
``prmkit.score.vllm`` reads rewards from it.
"""

import itertools
import os
import sys
import weakref
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from prmkit.errors import InputError, RunError
from prmkit.generate import Sampling
from prmkit.generate.config import VllmEngine
from prmkit.generate.meter import Meter
from prmkit.models.loading import described
from prmkit.run.activity import busy

if TYPE_CHECKING:
    from vllm.outputs import PoolingRequestOutput, RequestOutput
    from vllm.v1.engine.async_llm import AsyncLLM

_GPU_SHARE = 0.45
"""Default share of a GPU: two engines fit on one."""


class Vllm:
    """One model in vLLM.

    Args:
        model: local folder.
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
        self.meter = Meter()
        with busy(f"vLLM is starting: {described(model)}"):  # which takes it a minute
            self._engine = _started(
                model, engine, self.meter, dtype=dtype, device=device, memory=memory, runner=runner, limits=limits or {}
            )
        self.context: int = self._engine.vllm_config.model_config.max_model_len
        self._numbers = itertools.count()
        self.close = weakref.finalize(self, _end, self._engine)

    async def sample(
        self,
        prompt_ids: Sequence[int],
        sampling: Sampling,
        seed: int,
        *,
        stop: Sequence[str] = (),
        end_ids: Sequence[int] = (),
        likely: int | None = None,
    ) -> "RequestOutput":
        """One continuation, up to one of the stop strings, with so many likely tokens at each place.

        ``end_ids`` end it besides the model's own. A cancelled call aborts the request.
        """
        from vllm import SamplingParams
        from vllm.sampling_params import RequestOutputKind

        parameters = SamplingParams(
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            max_tokens=sampling.max_tokens,
            seed=seed,
            stop=list(stop),
            stop_token_ids=list(end_ids),
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


def _started(
    model: str,
    engine: VllmEngine,
    meter: Meter,
    *,
    dtype: str,
    device: str | None,
    memory: float | None,
    runner: str,
    limits: Mapping[str, int],
) -> "AsyncLLM":
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
        **limits,
        **engine.options,
        "trust_remote_code": False,  # code that comes with a model is never run
    }
    if runner == "pooling":
        # A step pooler would index the whole prompt, of which only the rows behind the cached blocks come back.
        arguments["pooler_config"] = PoolerConfig(tok_pooling_type="ALL", use_activation=False)
    gpus = engine.tensor_parallel_size * engine.pipeline_parallel_size
    try:
        with _apart(device, gpus):
            return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments), stat_loggers=[_counting(meter)])
    except (TypeError, ValueError, OSError) as error:
        raise InputError(f"vLLM refuses the model or an option ({_first_line(error)})", where=model) from None
    except RuntimeError as error:
        raise RunError(f"{model}: vLLM did not start ({_first_line(error)}); its own log stands above") from None


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
    if isinstance(error, ValidationError):
        error = ValueError(error.errors(include_url=False)[0]["msg"])
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
