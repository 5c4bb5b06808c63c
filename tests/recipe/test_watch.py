from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from prmkit.recipe.watch import Done, watched


def test_nobody_is_told_where_nobody_watches() -> None:
    with watched(None, "search", 3) as done:
        assert done(2, {"accuracy": "1"}) is None


def test_who_watches_is_told_what_how_many_and_how_it_stands() -> None:
    told: list[object] = []

    @contextmanager
    def watch(what: str, total: int) -> Iterator[Done]:
        def done(count: int = 1, figures: Mapping[str, str] | None = None) -> None:
            told.append((count, figures))

        told.append((what, total))
        yield done
        told.append("closed")

    with watched(watch, "search", 3) as done:
        done()
        done(0, {"to go": "1 s"})
    assert told == [("search", 3), (1, None), (0, {"to go": "1 s"}), "closed"]
