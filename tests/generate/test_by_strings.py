import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from prmkit.generate import Continuation, Sampling
from prmkit.generate.by_strings import up_to_step
from prmkit.generate.stop import StepStop
from prmkit.generate.stops import TokenTexts
from prmkit.generate.thoughts import Closing
from prmkit.segment.config import SegmenterConfig, bind_segmenter
from prmkit.tree import Finish
from tests.fakes import CharTokenizer

PROMPT = tuple(map(ord, "?"))
TEXTS = TokenTexts(CharTokenizer())  # type: ignore[arg-type]


@dataclass(frozen=True)
class Part:
    continuation: Continuation


class Strings:
    """An engine that writes its text on, and stops at any stop string or at the limit."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.asked: list[tuple[str, int, int]] = []

    async def ask(self, prompt: Sequence[int], sampling: Sampling, seed: int, stop: tuple[str, ...]) -> Part:
        done = "".join(map(chr, prompt))[1:]
        self.asked.append((done, sampling.max_tokens, seed))
        rest = self.text[len(done) :]
        for length in range(1, len(rest) + 1):
            if any(rest[:length].endswith(string) for string in stop):
                return self._part(rest[:length], "stop")
            if length == sampling.max_tokens:
                return self._part(rest[:length], "length")
        return self._part(rest, "eos")

    def _part(self, text: str, finish: Finish) -> Part:
        return Part(Continuation(ids=tuple(map(ord, text)), finish=finish))


def drawn(
    text: str,
    *,
    max_tokens: int = 50,
    room: int | None = None,
    whole: bool = False,
    marks: tuple[str, ...] = (),
    most: int | None = None,
    **options: int,
) -> tuple[str, Finish, Strings]:
    engine = Strings(text)
    config = SegmenterConfig(name="tokens", options=dict(options)) if options else SegmenterConfig()
    stop = StepStop(bind_segmenter(config, "\n\n"))
    sampling = Sampling(max_tokens=max_tokens)
    found, _ = asyncio.run(
        up_to_step(
            engine.ask,
            TEXTS,
            PROMPT,
            sampling=sampling,
            seed=7,
            stop=None if whole else stop,
            room=room,
            marks=marks,
            most=most,
        )
    )
    return "".join(map(chr, found.ids)), found.finish, engine


def test_where_a_string_ends_no_step_the_engine_is_asked_to_go_on() -> None:
    text, finish, engine = drawn("\n\na\n\nb")
    assert (text, finish) == ("\n\na\n\n", "stop")
    assert [(done, limit) for done, limit, _ in engine.asked] == [("", 50), ("\n\n", 48)]


def test_a_further_portion_has_another_seed() -> None:
    seeds = [seed for _, _, seed in drawn("\n\n\n\na\n\n")[2].asked]
    assert seeds[0] == 7
    assert len(set(seeds)) == len(seeds) == 3


def test_the_limit_is_that_of_all_portions() -> None:
    assert drawn("\n\nabcdef", max_tokens=5)[:2] == ("\n\nabc", "length")
    assert drawn("\n\nabcdef", max_tokens=2)[:2] == ("\n\n", "length")
    assert drawn("abcdef", room=3)[:2] == ("abc", "length")


def test_an_end_of_the_solution_stays_one() -> None:
    assert drawn("abc")[:2] == ("abc", "eos")


def test_a_step_of_so_many_tokens() -> None:
    assert drawn("abcdef", length=4)[:2] == ("abcd", "stop")
    assert drawn("abcdef", length=4, max_tokens=3)[:2] == ("abc", "length")
    assert drawn("abc", length=4)[:2] == ("abc", "eos")


class _Many(Closing):
    """A step end among many, as those of thoughts and statements."""

    @property
    def stops(self) -> tuple[str, ...]:
        return (self.tag, *(f"~{number}" for number in range(9)))


def test_more_strings_than_the_engine_takes_are_looked_for_here() -> None:
    engine = Strings("a" * 20 + "|" + "b" * 40)

    async def draw(max_tokens: int) -> tuple[str, Finish]:
        sampling, stop = Sampling(max_tokens=max_tokens), StepStop(_Many("|"))
        found, _ = await up_to_step(engine.ask, TEXTS, PROMPT, sampling=sampling, seed=7, stop=stop, most=4)
        return "".join(map(chr, found.ids)), found.finish

    assert asyncio.run(draw(50)) == ("a" * 20 + "|", "stop")
    # Two portions of 16 tokens, the end in the second.
    assert [(len(done), limit) for done, limit, _ in engine.asked] == [(0, 16), (16, 16)]
    assert asyncio.run(draw(18)) == ("a" * 18, "length")
    engine.text = "a" * 20
    assert asyncio.run(draw(50)) == ("a" * 20, "eos")


def test_without_a_stop_it_is_one_portion() -> None:
    engine = Strings("a\n\nb")
    found, portions = asyncio.run(up_to_step(engine.ask, TEXTS, PROMPT, sampling=Sampling(), seed=1, stop=None))
    assert ("".join(map(chr, found.ids)), len(portions)) == ("a\n\nb", 1)


MARKS = ("<|im_end|>", "<|im_start|>user")


@pytest.mark.parametrize("most", [None, 1])  # 1: the engine takes fewer strings than there are, and is read in chunks
@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("text", "kept", "finish"),
    [
        ("It is 4.<|im_end|>", "It is 4.", "eos"),
        ("It is 4.<|im_end|>\n<|im_start|>user\nAnother?\n\n", "It is 4.", "eos"),
        ("It is 4.<|im_start|>user\nAnother?", "It is 4.", "eos"),
        ("<|im_end|>\n\nand on", "", "eos"),
        ("It is <|im_end", "It is <|im_end", "eos"),
        (
            "It is 4 and it goes on and on and on and on and on, far.",
            "It is 4 and it goes on and on and on and on and on",
            "length",
        ),
        # The mark is cut by the limit, and so is the solution.
        (
            "It is 4 and it goes on and on and on and on!<|im_end|>",
            "It is 4 and it goes on and on and on and on!<|im_e",
            "length",
        ),
    ],
)
def test_a_mark_of_several_tokens_ends_the_solution(
    text: str, kept: str, finish: Finish, whole: bool, most: int | None
) -> None:
    assert drawn(text, whole=whole, marks=MARKS, most=most)[:2] == (kept, finish)


@pytest.mark.parametrize("most", [None, 1])
def test_a_step_that_ends_before_the_mark_ends_first(most: int | None) -> None:
    assert drawn("One.\n\nTwo<|im_end|>", marks=MARKS, most=most)[:2] == ("One.\n\n", "stop")
    assert drawn("One.<|im_end|>\n\nTwo", marks=MARKS, most=most)[:2] == ("One.", "eos")
