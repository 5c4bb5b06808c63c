"""synthetic-math: chains of arithmetic modulo 10, of which the value after every step is known.

x = 7 . a add 3 . b from 5 . c atmost 4 .

a = x + 3 = 7 + 3 = 0 # add 3
b = 5 - a = 5 - 0 = 5 # from 5
c = min ( b , 4 ) = min ( 5 , 4 ) = 4 # atmost 4
#### 4
"""

import itertools
import random
import re
from typing import Literal

from prmkit.benchmarks.synthetic_world import (
    OPERATIONS,
    Instruction,
    Slips,
    draw_instructions,
    draw_prompts,
    generated,
    instructions_of,
)
from prmkit.tree import Problem

_STEP = re.compile(r"([a-h]) = .* = (\d) # .*")


def problems(
    n: int, *, seed: int, min_steps: int = 3, max_steps: int = 5, split: Literal["train", "test"] = "test"
) -> list[Problem]:
    """``n`` different problems; those of the two splits never meet, whatever the seeds."""
    prompts = draw_prompts(draw, seed=seed, min_steps=min_steps, max_steps=max_steps, test=split == "test")
    return [
        Problem(
            id=f"synthetic-math/{split}/{seed}/{index}",
            prompt=prompt,
            answer=str(_values(prompt)[-1]),
            level=str(len(instructions_of(prompt))),
        )
        for index, prompt in enumerate(itertools.islice(prompts, n))
    ]


load = generated(problems)
"""The benchmark's loader; a path is refused."""


def write(prompt: str, rng: random.Random, slips: Slips) -> list[str]:
    """The steps of a writer who makes ``slips``. After a mistake the steps go on from the wrong value."""
    before, value, steps = "x", _start(prompt), []
    for instruction in instructions_of(prompt):
        operation = instruction.operation
        habit = OPERATIONS[operation].habit
        used, noise = operation, 0
        if habit is not None and rng.random() < slips.misread:
            used = habit
        elif rng.random() < slips.miscalculate:
            noise = rng.choice([1, -1])
        right = OPERATIONS[operation].apply(value, instruction.operand) % 10
        found = (OPERATIONS[used].apply(value, instruction.operand) + noise) % 10
        steps.append(_step(instruction, used, before, value, found))
        if found != right and rng.random() < slips.corrected:
            steps.append(_step(instruction, operation, before, value, right, mark="wait "))
            found = right
        before, value = instruction.letter, found
    return [*steps, f"#### {value}"]


def correct_steps(problem: Problem, steps: list[str]) -> list[bool]:
    """Whether each step states the value that its letter has in the right solution; the last, the right answer."""
    truth = dict(zip((item.letter for item in instructions_of(problem.prompt)), _values(problem.prompt), strict=True))
    verdicts = []
    for text in steps:
        match = _STEP.fullmatch(text)
        verdicts.append(truth.get(match[1]) == int(match[2]) if match else text == f"#### {problem.answer}")
    return verdicts


def _step(instruction: Instruction, used: str, before: str, value: int, found: int, mark: str = "") -> str:
    letter, operation, operand = instruction
    expression = OPERATIONS[used].expression
    named, numbers = expression.format(v=before, k=operand), expression.format(v=value, k=operand)
    return f"{letter} = {named} = {numbers} = {found} # {mark}{operation} {operand}"


def draw(rng: random.Random, count: int) -> str:
    """The text of a random problem with ``count`` instructions."""
    return " ".join([f"x = {rng.randrange(10)} .", *(item.text for item in draw_instructions(rng, count))])


def _start(prompt: str) -> int:
    return int(prompt.split()[2])


def _values(prompt: str) -> list[int]:
    """The value of each letter in the right solution."""
    value, values = _start(prompt), []
    for _, operation, operand in instructions_of(prompt):
        value = OPERATIONS[operation].apply(value, operand) % 10
        values.append(value)
    return values
