"""The embedded world: lists of instructions whose every step can be checked, and how people get them wrong.

A problem is a list of instructions, one a letter: ``a add 3 . b from 5 . c atmost 4 .``. Some operations invite a
habit: "from 5" is read as v - 5 instead of 5 - v, "atmost" as the larger and "atleast" as the smaller value. Because
writers share their habits, their mistakes agree, so that a vote does not remove them: what a verifier is for.
All text is words with single spaces between them.
"""

import random
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from prmkit.errors import InputError
from prmkit.tree import Problem

LETTERS = "abcdefgh"
OPERANDS = range(1, 10)


class Operation(NamedTuple):
    """What an instruction does to a value v with its operand k, how it is written, and the misreading it invites."""

    apply: Callable[[int, int], int]
    expression: str
    habit: str | None = None


OPERATIONS = {
    "add": Operation(lambda v, k: v + k, "{v} + {k}"),
    "sub": Operation(lambda v, k: v - k, "{v} - {k}"),
    "from": Operation(lambda v, k: k - v, "{k} - {v}", habit="sub"),
    "atmost": Operation(min, "min ( {v} , {k} )", habit="atleast"),
    "atleast": Operation(max, "max ( {v} , {k} )", habit="atmost"),
}
_PLAIN = [name for name, operation in OPERATIONS.items() if operation.habit is None]
_INVITING = [name for name, operation in OPERATIONS.items() if operation.habit is not None]


class Instruction(NamedTuple):
    """One line of a problem: the letter that names its result, the operation and the operand."""

    letter: str
    operation: str
    operand: int

    @property
    def text(self) -> str:
        """The instruction as a problem states it."""
        return f"{self.letter} {self.operation} {self.operand} ."


class Slips(BaseModel):
    """How often a writer goes wrong, and notices."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    misread: float = Field(0.5, ge=0, le=1, description="chance that an inviting operation is misread by habit")
    miscalculate: float = Field(0.02, ge=0, le=1, description="chance that any other step goes wrong at random")
    corrected: float = Field(0.05, ge=0, le=1, description="chance that a wrong step is noticed and written again")


def draw_instructions(rng: random.Random, count: int) -> list[Instruction]:
    """``count`` random instructions, about half of them inviting a misreading."""
    return [
        Instruction(LETTERS[index], rng.choice(_PLAIN if rng.random() < 0.5 else _INVITING), rng.choice(OPERANDS))
        for index in range(count)
    ]


def instructions_of(prompt: str) -> list[Instruction]:
    """The instructions that a problem's text states, after its opening sentence."""
    _, *lines = [line.split() for line in prompt.split(" .") if line.strip()]
    return [Instruction(letter, operation, int(operand)) for letter, operation, operand in lines]


def generated(make: Callable[..., list[Problem]]) -> Callable[..., list[Problem]]:
    """The loader of a benchmark that ``make(n, seed=..., **options)`` generates: 200 problems unless told otherwise."""

    def load(*, path: Path | None, limit: int | None, seed: int, **options: Any) -> list[Problem]:
        if path is not None:
            raise InputError(
                "a generated benchmark reads no file", where=path, cure="Leave out path; give limit and seed."
            )
        return make(limit or 200, seed=seed, **options)

    return load


def held_out(prompt: str) -> bool:
    """Whether a problem belongs to the test side: a fifth of all, fixed by the text, never trained on."""
    return zlib.crc32(prompt.encode()) % 5 == 0


def draw_prompts(
    draw: Callable[[random.Random, int], str], *, seed: int, min_steps: int, max_steps: int, test: bool
) -> Iterator[str]:
    """An endless stream of different problem texts of one side, with ``min_steps`` to ``max_steps`` instructions."""
    rng = random.Random(seed)
    seen: set[str] = set()
    while True:
        prompt = draw(rng, rng.randint(min_steps, max_steps))
        if held_out(prompt) == test and prompt not in seen:
            seen.add(prompt)
            yield prompt
