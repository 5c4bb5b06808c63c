"""Errors that a user can act on.

PrmkitError              anything prmkit reports without a traceback (exit code 1)
├── RunError             a run failed: the input was legal, the work was not possible (exit code 1)
└── InputError           a file, recipe or option is wrong, and the message says how to mend it (exit code 2)
    └── InputErrors      several of them, reported at once (exit code 2)

A message reads ``where: what, got X; expected Y. cure``.
"""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches

_UNSET = object()


class PrmkitError(Exception):
    """Base of every error that is printed as one line instead of a traceback."""

    exit_code = 1


class RunError(PrmkitError):
    """The input was legal, but the run could not go on."""


class InputError(PrmkitError):
    """Something the user gave is wrong.

    Args:
        what: the fault, without a full stop.
        where: ``file:line`` or ``file:key``.
        got: the offending value, shown shortened.
        expected: what would have been legal.
        cure: what to type or change.
    """

    exit_code = 2

    def __init__(
        self, what: str, *, where: object = None, got: object = _UNSET, expected: str = "", cure: str = ""
    ) -> None:
        message = f"{where}: {what}" if where is not None else what
        if got is not _UNSET:
            message += f", got {_shortened(got)}"
        if expected:
            message += f"; expected {expected}"
        if cure:
            message += f". {cure}"
        super().__init__(message)


class InputErrors(InputError):
    """Several input errors at once, one a line."""

    def __init__(self, errors: Sequence[InputError]) -> None:
        self.errors = tuple(errors)
        super().__init__("\n".join(str(error) for error in errors))


def did_you_mean(given: object, known: Iterable[str]) -> str:
    """A cure that names the nearest of the known words; nothing where none is near."""
    near = get_close_matches(str(given), list(known), n=1)
    return f"Did you mean {near[0]}?" if near else ""


def _shortened(value: object) -> str:
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # it holds an integer of thousands of digits, or is nested as deeply
        text = f"{type(value).__name__} that cannot be shown"
    limit = 800 if _are_names(value) else 80
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _are_names(value: object) -> bool:
    """Such as those of columns, which a user needs to see whole."""
    return isinstance(value, list) and all(isinstance(each, str) and len(each) <= 40 for each in value)
