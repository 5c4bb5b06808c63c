"""synthetic-code: small Python programs, a step a line with its reasoning, judged by unit tests.

    def f ( x ) . a add 3 . b from 5 . c atmost 4 .

    a = x + 3 # add 3
    b = 5 - a # from 5
    c = min ( b , 4 ) # atmost 4
    return c

The grader runs the program; the truth of a single step is found by a small evaluator of exactly these forms, so that
no text of a model is executed for it.
"""

import itertools
import json
import random
import re
from typing import Literal

from prmkit.benchmarks.synthetic_world import (
    OPERATIONS,
    Slips,
    draw_instructions,
    draw_prompts,
    generated,
    instructions_of,
)
from prmkit.tree import Case, Problem

_PUBLIC, _HIDDEN = (0, 3, 8), (-7, -2, 1, 5, 9, 14)
_PROBES = range(-15, 25)
_ASSIGNMENT = re.compile(r"([a-h]) = (?:(\w+) ([+-]) (\w+)|(min|max) \( (\w+) , (\w+) \)) # .*")


def problems(
    n: int, *, seed: int, min_steps: int = 3, max_steps: int = 5, split: Literal["train", "test"] = "test"
) -> list[Problem]:
    """``n`` different problems; those of the two splits never meet, whatever the seeds."""
    prompts = draw_prompts(draw, seed=seed, min_steps=min_steps, max_steps=max_steps, test=split == "test")
    return [
        Problem(
            id=f"synthetic-code/{split}/{seed}/{index}",
            prompt=prompt,
            domain="code",
            level=str(len(instructions_of(prompt))),
            entry_point="f",
            tests=tuple(
                Case(input=json.dumps([x]), output=json.dumps(_values(prompt, x)[-1]), public=x in _PUBLIC)
                for x in _PUBLIC + _HIDDEN
            ),
        )
        for index, prompt in enumerate(itertools.islice(prompts, n))
    ]


load = generated(problems)
"""The benchmark's loader; a path is refused."""


def write(prompt: str, rng: random.Random, slips: Slips) -> list[str]:
    """The lines of a programmer who makes ``slips``; a correction assigns the same name again."""
    before, steps = "x", []
    for letter, operation, operand in instructions_of(prompt):
        habit = OPERATIONS[operation].habit
        used = operation
        if habit is not None and rng.random() < slips.misread:
            used = habit
        elif rng.random() < slips.miscalculate:
            used = rng.choice([other for other in OPERATIONS if other != operation])
        steps.append(f"{letter} = {OPERATIONS[used].expression.format(v=before, k=operand)} # {operation} {operand}")
        if used != operation and rng.random() < slips.corrected:
            right = OPERATIONS[operation].expression.format(v=before, k=operand)
            steps.append(f"{letter} = {right} # wait {operation} {operand}")
        before = letter
    return [*steps, f"return {before}"]


def correct_steps(problem: Problem, steps: list[str]) -> list[bool]:
    """Whether each line gives its letter the value of the right program, on 40 inputs; the last, the right result."""
    letters = [item.letter for item in instructions_of(problem.prompt)]
    truth = {x: dict(zip(letters, _values(problem.prompt, x), strict=True)) for x in _PROBES}
    names: dict[int, dict[str, int]] = {x: {"x": x} for x in _PROBES}
    verdicts = []
    for text in steps:
        if text.startswith("return "):
            result = text.removeprefix("return ")
            verdicts.append(all(names[x].get(result) == truth[x][letters[-1]] for x in _PROBES))
            continue
        match = _ASSIGNMENT.fullmatch(text)
        verdicts.append(match is not None and all(_assign(match, names[x]) == truth[x].get(match[1]) for x in _PROBES))
    return verdicts


def _assign(match: re.Match[str], names: dict[str, int]) -> int | None:
    """Carry out an assignment; None, and no assignment, if it names a value that does not exist."""
    letter, left, sign, right, function, first, second = match.groups()
    operands = [_operand(word, names) for word in ((left, right) if sign else (first, second))]
    if operands[0] is None or operands[1] is None:
        return None
    a, b = operands[0], operands[1]
    value = (a + b if sign == "+" else a - b) if sign else (min(a, b) if function == "min" else max(a, b))
    names[letter] = value
    return value


def _operand(word: str, names: dict[str, int]) -> int | None:
    return int(word) if word.isdecimal() else names.get(word)


def draw(rng: random.Random, count: int) -> str:
    """The text of a random problem with ``count`` instructions."""
    return " ".join(["def f ( x ) .", *(item.text for item in draw_instructions(rng, count))])


def _values(prompt: str, x: int) -> list[int]:
    """The value of each letter in the right program for the input ``x``."""
    values = []
    for _, operation, operand in instructions_of(prompt):
        x = OPERATIONS[operation].apply(x, operand)
        values.append(x)
    return values
