"""What a run found out about its models before it relied on them, for checks.json in its folder."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

_CHECKS: ContextVar[list[dict[str, Any]] | None] = ContextVar("checks", default=None)


@contextmanager
def noting() -> Iterator[list[dict[str, Any]]]:
    """The list of what is noted within, as JSON types, each once."""
    checks: list[dict[str, Any]] = []
    token = _CHECKS.set(checks)
    try:
        yield checks
    finally:
        _CHECKS.reset(token)


def note(check: dict[str, Any]) -> None:
    """Keep a finding with the run that is under way, if there is one."""
    checks = _CHECKS.get()
    if checks is not None and check not in checks:
        checks.append(check)
