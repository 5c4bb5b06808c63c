import asyncio
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.generate import Generation, Generator, GeneratorConfig, Sampling, load_generator
from prmkit.generate.config import VllmEngine
from prmkit.generate.meter import meter_of
from tests.served import EAGER, VLLM, run

pytestmark = VLLM

LONG = [4 + index % 50 for index in range(300)]


def test_a_cancelled_request_leaves_the_engine(vllm_generator: Generator) -> None:
    async def cancelled() -> int:
        task = asyncio.create_task(vllm_generator.generate([40, 50], 8, sampling=Sampling(max_tokens=900), seed=3))
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.sleep(0.2)
        engine = vllm_generator._engine._engine  # type: ignore[attr-defined]
        return int(engine.output_processor.get_num_unfinished_requests())

    assert run(cancelled()) == 0


def test_a_folder_that_is_no_language_model_is_refused(vllm_cpu: None, prm_folder: Path) -> None:
    config = GeneratorConfig(name=str(prm_folder), engine=VllmEngine(**EAGER | {"options": {"no_such": 1}}))
    with pytest.raises(InputError, match=r"vLLM refuses the model or an option .*no_such"):
        load_generator(config)


def test_the_meter_has_the_tokens_of_a_request_before_it_ends(vllm_generator: Generator) -> None:
    meter = meter_of(vllm_generator)
    assert meter is not None

    async def watched() -> tuple[list[int], Generation]:
        sampling, seen = Sampling(max_tokens=400), []
        task = asyncio.create_task(vllm_generator.generate([9, 8, 7] * 9, 3, sampling=sampling, seed=1))
        while not task.done():
            await asyncio.sleep(0)
            seen.append(meter.drawn)
        await asyncio.sleep(0)  # vLLM counts the tokens of a step after it has handed them out
        return seen, task.result()

    drawn, read = meter.drawn, meter.read
    seen, generation = run(watched())
    assert len(set(seen)) > 10
    assert (meter.drawn - drawn, meter.read - read) == (generation.decode_tokens, generation.prefill_tokens)
