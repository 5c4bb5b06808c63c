"""BigCodeBench: 1,140 tasks that use libraries (148 in the hard subset), each with a unittest class.

Source: Zhuo et al. 2024, arXiv 2406.15877.
"""

import ast
from pathlib import Path
from typing import Literal

from prmkit.benchmarks.code_rows import shown_calls, text_of
from prmkit.errors import InputError
from prmkit.rows_io import Fields, field, first_rows
from prmkit.tree import Problem

_HUB = {"full": "bigcode/bigcodebench", "hard": "bigcode/bigcodebench-hard"}


def load(
    *,
    path: Path | None,
    limit: int | None,
    seed: int,
    subset: Literal["full", "hard"] = "full",
    split: Literal["instruct", "complete"] = "instruct",
    version: str = "v0.1.4",
) -> list[Problem]:
    """The problems in file order; the tests are the same in both splits.

    Args:
        path: see prmkit.benchmarks.load.
        limit: see prmkit.benchmarks.load.
        seed: not used.
        subset: of the hub.
        split: the prompt: ``instruct``, in words, or ``complete``, a header with its docstring.
        version: of the hub's data, which are its splits.

    Raises:
        InputError: an unknown option, or a row lacks a column.
    """
    if subset not in _HUB or split not in ("instruct", "complete"):
        raise InputError("unknown part of BigCodeBench", got=(subset, split), expected="full|hard, instruct|complete")
    rows = first_rows(path, hub=_HUB[subset], split=version, limit=limit)
    return [_problem(row, where, split) for where, row in rows]


def _problem(row: Fields, where: str, split: str) -> Problem:
    name, header = field(row, where, "entry_point"), text_of(row, where, "code_prompt")
    complete = text_of(row, where, "complete_prompt")
    return Problem(
        id=field(row, where, "task_id"),
        prompt=complete if split == "complete" else text_of(row, where, "instruct_prompt"),
        domain="code",
        subject=", ".join(_libraries(row)) or None,
        entry_point=name,
        tests=shown_calls(complete, name),
        rule="bigcodebench",
        stub=header,
        reference=header + text_of(row, where, "canonical_solution"),
        check=text_of(row, where, "test"),
    )


def _libraries(row: Fields) -> list[str]:
    """The hub writes the list as its Python text."""
    given = row.get("libs")
    try:
        listed = ast.literal_eval(given) if isinstance(given, str) else given
    except (ValueError, SyntaxError):
        return []
    return [str(name) for name in listed] if isinstance(listed, list) else []
