"""Progress of a run, for whoever watches it."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Done(Protocol):
    """Called as things are done, with figures that say how it stands."""

    def __call__(self, count: int = 1, figures: Mapping[str, str] | None = None) -> None:
        """``count`` more are done; 0 only shows the figures."""
        ...


class Watch(Protocol):
    """Shows progress: told what is done and how many there are, it gives a function to call as each is done."""

    def __call__(self, what: str, total: int) -> AbstractContextManager[Done]:
        """Open a bar."""
        ...


@contextmanager
def watched(watch: Watch | None, what: str, total: int) -> Iterator[Done]:
    """The bar of ``watch``, or nothing where nobody watches."""
    if watch is None:
        yield lambda count=1, figures=None: None
    else:
        with watch(what, total) as done:
            yield done
