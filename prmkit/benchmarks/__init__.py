"""Problem sets by name: the benchmark seam.

A loader is a function ``load(*, path, limit, seed, **options) -> list[Problem]``; other people's are named by dotpath.
"""

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

from prmkit.benchmarks.prompts import ModelKind, ask
from prmkit.errors import InputError
from prmkit.seam import Seam
from prmkit.tree import Problem

_LOG = logging.getLogger(__name__)


class Loader(Protocol):
    """Loads the problems of one benchmark."""

    def __call__(self, *, path: Path | None, limit: int | None, seed: int, **options: Any) -> list[Problem]:
        """The problems, in the order of the file or the seed, each with what is needed to judge it."""
        ...


BENCHMARKS = Seam(
    "benchmark",
    {
        "aime": "prmkit.benchmarks.aime:load",
        "amc": "prmkit.benchmarks.amc:load",
        "bigcodebench": "prmkit.benchmarks.bigcodebench:load",
        "gsm8k": "prmkit.benchmarks.gsm8k:load",
        "humaneval-plus": "prmkit.benchmarks.humaneval_plus:load",
        "livecodebench": "prmkit.benchmarks.livecodebench:load",
        "math": "prmkit.benchmarks.math:load",
        "math500": "prmkit.benchmarks.math500:load",
        "minerva": "prmkit.benchmarks.minerva:load",
        "mbpp-plus": "prmkit.benchmarks.mbpp_plus:load",
        "olympiadbench": "prmkit.benchmarks.olympiadbench:load",
        "prm800k": "prmkit.benchmarks.prm800k:load",
        "synthetic-code": "prmkit.benchmarks.synthetic_code:load",
        "synthetic-math": "prmkit.benchmarks.synthetic_math:load",
        "trees": "prmkit.benchmarks.trees:load",
    },
)


def load(
    name: str,
    *,
    path: Path | None = None,
    limit: int | None = None,
    seed: int = 0,
    prompt: ModelKind | None = None,
    **options: Any,
) -> list[Problem]:
    """The problems of a benchmark, in a fixed order. A second problem of one id gets a new one, with a warning.

    Args:
        name: a name in BENCHMARKS, or ``my_package.module:loader``.
        path: a local .jsonl, .jsonl.gz or .json file; without, the Hugging Face hub or a download.
        limit: the first so many problems (of a generated benchmark: how many to make).
        seed: of generated benchmarks; a file has its own order.
        prompt: put the benchmark's wording for ``chat`` or ``base`` models around each problem (see prompts/); without,
            the bare problem.
        options: what the loader takes besides, for example ``year`` of AIME.

    Raises:
        InputError: unknown name or option, unreadable file or hub, a row without an answer (``file:line``), or no
            problem at all.
    """
    if limit is not None and limit < 1:
        raise InputError("illegal limit", where=name, got=limit, expected="a positive number of problems")
    loader: Loader = BENCHMARKS.load(name)
    try:
        problems = loader(path=path, limit=limit, seed=seed, **options)
    except TypeError as error:
        if "unexpected keyword argument" not in str(error):
            raise
        raise InputError(f"unknown option ({error})", where=name, got=sorted(options)) from None
    if not problems:
        raise InputError("the benchmark holds no problem", where=path or name)
    problems = _with_unique_ids(problems, str(path or name))
    return problems if prompt is None else [ask(problem, name, prompt) for problem in problems]


def _with_unique_ids(problems: list[Problem], where: str) -> list[Problem]:
    numbers: dict[str, int] = {}
    copies: dict[str, int] = {}
    for number, problem in enumerate(problems, start=1):
        name, copy = problem.id, copies.get(problem.id, 2)
        while name in numbers:
            name, copy = f"{problem.id}#{copy}", copy + 1
        copies[problem.id] = copy
        if name != problem.id:
            said = f"{where}: problem {number} has the id of problem {numbers[problem.id]}, {problem.id!r}"
            _LOG.warning("%s; it is %r here", said, name)
        numbers[name] = number
    return [replace(problem, id=name) for problem, name in zip(problems, numbers, strict=True)]
