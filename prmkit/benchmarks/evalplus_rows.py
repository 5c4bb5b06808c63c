"""What the readers of HumanEval+ and MBPP+ share: which rows they read, and the inputs in them."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

from prmkit.download import cached
from prmkit.errors import InputError
from prmkit.rows_io import Fields, first_rows
from prmkit.sandbox import values
from prmkit.tree import Case

EvalplusForm = Literal["rich", "hub"]
"""Evalplus's own release, or the data set on the hub."""


def evalplus_rows(
    path: Path | None, form: EvalplusForm, *, release: str, hub: str, limit: int | None
) -> list[tuple[str, Fields]]:
    """(place, row) of the first ``limit`` rows of a local file, or without one of what ``form`` names.

    Raises:
        InputError: there is no such form; the file, the release or the hub cannot be read.
    """
    if form not in ("rich", "hub"):
        raise InputError("unknown form", got=form, expected="rich or hub")
    return first_rows(cached(release) if path is None and form == "rich" else path, hub=hub, split="test", limit=limit)


def cases_of(
    row: Fields, where: str, column: str, *, restore: Callable[[list[Any]], Sequence[Any]] = list
) -> list[Case]:
    """The inputs of a column; those of ``base_input`` are public.

    Args:
        row: of either benchmark.
        where: its place.
        column: ``base_input`` or ``plus_input``.
        restore: gives the arguments of a call the types that they lost in JSON.

    Raises:
        InputError: it is no list of argument lists, or one has not the form that ``restore`` expects.
    """
    inputs = row.get(column)
    if column == "plus_input" and inputs == {}:  # Mbpp/793 has none, written so
        return []
    if not isinstance(inputs, list) or not all(isinstance(given, list) for given in inputs):
        raise InputError(f"illegal {column}", where=where, got=inputs, expected="a list of argument lists")
    try:
        texts = [values.encode(list(restore(given))) for given in inputs]
    except (LookupError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise InputError(f"{column} holds other arguments than the task takes ({error})", where=where) from None
    return [Case(input=text, public=column == "base_input") for text in texts]


def tolerance(row: Fields, where: str) -> float:
    """The absolute tolerance of floats (``atol``); 0 where there is none. Raises InputError if it is no such number."""
    given = row.get("atol")
    try:
        found = float(given or 0.0)
    except (TypeError, ValueError):
        found = math.nan
    if not 0.0 <= found < math.inf:
        raise InputError("illegal atol", where=where, got=given, expected="a number from 0 on")
    return found
