"""The text that asks a model for a solution: one file for each benchmark, for chat models and for base models.

``{prompt}`` stands for the problem and ``{stub}`` for the code that it gives. The chat's own turns are not part of it:
they belong to the generator's ``format.template``.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Literal

from prmkit.errors import InputError
from prmkit.tree import Problem
from prmkit.yaml_io import read_yaml

ModelKind = Literal["chat", "base"]


def ask(problem: Problem, benchmark: str, kind: ModelKind) -> Problem:
    """The problem with the benchmark's wording around its prompt.

    Raises:
        InputError: there is no file for the benchmark, or the kind is unknown.
    """
    texts = wording(benchmark)
    if kind not in ("chat", "base"):
        raise InputError("unknown kind of prompt", where=benchmark, got=kind, expected="chat or base")
    function = f"{kind}_function" if problem.entry_point is not None and f"{kind}_function" in texts else kind
    # In one pass over the template: a problem may spell {stub} itself.
    before, _, after = texts[function].partition("{prompt}")
    stub = (problem.stub or "").rstrip("\n")
    text = before.replace("{stub}", stub) + problem.prompt + after.replace("{stub}", stub)
    return replace(problem, prompt=text)


@cache
def wording(benchmark: str) -> dict[str, str]:
    """The texts of a benchmark's file: ``chat``, ``base``, their variants for functions, and ``step_end``.

    Raises:
        InputError: there is no such file.
    """
    path = Path(__file__).with_name(f"{benchmark}.yaml")
    if not path.is_file():
        raise InputError("no prompt for this benchmark", got=benchmark, cure="Leave out the option prompt.")
    return {key: str(value) for key, value in read_yaml(path).values.items()}
