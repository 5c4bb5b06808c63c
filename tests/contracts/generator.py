"""What every generator must keep.

    class TestMine(GeneratorContract):
        prompt = [4, 5, 6]

        @pytest.fixture(scope="class")
        @classmethod
        def engine(cls): return MyGenerator(...)

        def decode(self, ids): return my_tokenizer.decode(ids)

The policy behind it may be tiny and random, as long as it writes more than one text.
"""

import asyncio
import re
from collections.abc import Coroutine, Sequence
from typing import Any, TypeVar

import pytest

from prmkit.errors import InputError
from prmkit.generate import Generation, Generator, Sampling
from tests.fakes import at

Reply = TypeVar("Reply")


class GeneratorContract:
    """Subclass it with ``prompt``, ``decode`` and a fixture ``engine``."""

    prompt: Sequence[int]
    """A few token ids."""

    tells_context = True
    """False where only a server knows how long a prompt may be, and refuses a longer one in words of its own."""

    sampling = Sampling(max_tokens=16)
    greedy = Sampling(max_tokens=16, temperature=0.0)

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Generator:
        """The engine under test; it may serve all tests of the class."""
        raise NotImplementedError

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, as the engine sees it when it looks for a stop string."""
        raise NotImplementedError

    def run(self, work: Coroutine[Any, Any, Reply]) -> Reply:
        """Run a coroutine; an engine that is bound to one event loop runs it there."""
        return asyncio.run(work)

    def write(self, engine: Generator, n: int = 3, *, seed: int = 5, stop: str | None = None) -> Generation:
        return self.run(engine.generate(self.prompt, n, sampling=self.sampling, seed=seed, stop=at(stop)))

    def test_n_continuations_come_back_each_with_its_reason(self, engine: Generator) -> None:
        continuations = self.write(engine, 6).continuations
        assert len(continuations) == 6
        for one in continuations:
            assert one.finish in ("eos", "length")
            assert (one.finish == "length") == (len(one.ids) == self.sampling.max_tokens)

    def test_the_same_seed_gives_the_same_text_and_another_seed_another(self, engine: Generator) -> None:
        first = self.write(engine, 6).continuations
        assert self.write(engine, 6).continuations == first
        assert self.write(engine, 6, seed=6).continuations != first
        assert len(set(first)) > 1

    def test_what_else_is_asked_meanwhile_changes_nothing(self, engine: Generator) -> None:
        async def crowded() -> list[Generation]:
            requests = [
                engine.generate(self.prompt, 3, sampling=self.sampling, seed=seed, stop=at("\n" if seed % 2 else None))
                for seed in range(8)
            ]
            return await asyncio.gather(*requests)

        together = self.run(crowded())
        for seed, generation in enumerate(together):
            alone = self.write(engine, seed=seed, stop="\n" if seed % 2 else None)
            assert generation.continuations == alone.continuations

    def test_temperature_zero_needs_no_seed(self, engine: Generator) -> None:
        ask = [self.run(engine.generate(self.prompt, 2, sampling=self.greedy, seed=seed)) for seed in (1, 2)]
        assert len({one for generation in ask for one in generation.continuations}) == 1

    def test_a_stop_string_ends_a_continuation_with_the_token_that_completed_it(self, engine: Generator) -> None:
        free = self.run(engine.generate(self.prompt, 1, sampling=self.greedy, seed=1)).continuations[0]
        stop = self.decode(free.ids[:6])[-4:]
        ends = next(end for end in range(1, 7) if stop in self.decode(free.ids[:end]))
        stopped = self.run(engine.generate(self.prompt, 1, sampling=self.greedy, seed=1, stop=at(stop))).continuations[
            0
        ]
        assert (stopped.ids, stopped.finish) == (free.ids[:ends], "stop")

    def test_a_stop_string_that_is_never_written_ends_nothing(self, engine: Generator) -> None:
        assert self.write(engine, stop="no model writes this").continuations == self.write(engine).continuations

    def test_tokens_are_counted(self, engine: Generator) -> None:
        generation = self.write(engine, 5)
        prompt = generation.cached_tokens + generation.prefill_tokens
        assert len(self.prompt) <= prompt <= 5 * len(self.prompt)
        ends = sum(one.finish == "eos" for one in generation.continuations)
        assert generation.decode_tokens == ends + sum(len(one.ids) for one in generation.continuations)
        assert not generation.flops <= 0  # NaN where the engine cannot know

    def test_an_empty_prompt_is_refused(self, engine: Generator) -> None:
        with pytest.raises(InputError, match=r"empty prompt; expected at least one token"):
            self.run(engine.generate([], 1, sampling=self.sampling, seed=1))

    def test_a_prompt_that_fills_the_context_is_refused_and_harms_no_other(self, engine: Generator) -> None:
        async def both() -> list[Generation | BaseException]:
            long = engine.generate(list(self.prompt) * 20_000, 1, sampling=self.sampling, seed=1)
            good = engine.generate(self.prompt, 3, sampling=self.sampling, seed=5)
            return await asyncio.gather(long, good, return_exceptions=True)

        refused, answered = self.run(both())
        assert isinstance(refused, InputError)
        assert "context" in str(refused)
        assert not self.tells_context or self._context_of(refused) < 20_000 * len(self.prompt)
        assert isinstance(answered, Generation)
        assert answered.continuations == self.write(engine).continuations

    def test_a_prompt_that_leaves_room_for_a_token_gets_it(self, engine: Generator) -> None:
        if not self.tells_context:
            pytest.skip("only the server knows its context")
        prompt = list(self.prompt) * 20_000
        with pytest.raises(InputError) as refused:
            self.run(engine.generate(prompt, 1, sampling=self.greedy, seed=1))
        context = self._context_of(refused.value)
        with pytest.raises(InputError, match=f"got '{context} tokens'; expected fewer than {context}"):
            self.run(engine.generate(prompt[:context], 1, sampling=self.greedy, seed=1))
        (one,) = self.run(engine.generate(prompt[: context - 1], 1, sampling=self.greedy, seed=1)).continuations
        assert (len(one.ids), one.finish) in ((1, "length"), (0, "eos"))

    def _context_of(self, refused: InputError) -> int:
        told = re.fullmatch(r"the prompt fills the context, got '\d+ tokens'; expected fewer than (\d+)", str(refused))
        assert told, refused
        return int(told[1])

    def test_a_cancelled_request_harms_no_other(self, engine: Generator) -> None:
        async def drop_one() -> Generation:
            request = engine.generate(self.prompt, 4, sampling=Sampling(max_tokens=64), seed=9)
            dropped = asyncio.ensure_future(request)
            kept = asyncio.ensure_future(engine.generate(self.prompt, 3, sampling=self.sampling, seed=5))
            await asyncio.sleep(0)
            dropped.cancel()
            with pytest.raises(asyncio.CancelledError):
                await dropped
            return await kept

        assert self.run(drop_one()).continuations == self.write(engine).continuations
