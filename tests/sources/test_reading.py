from pathlib import Path

import pytest

from prmkit.run import activity
from prmkit.run.activity import current
from prmkit.sources.reading import reading


class Clock:
    """Goes on by a second each time it is asked."""

    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        self.now += 1
        return self.now


def test_it_says_how_many_rows_came_how_fast_and_how_much_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(activity, "time", Clock())
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"x" * 8_000_000)
    with reading(str(path)) as progress:
        said = current()
        assert said is not None
        progress.note(0, 0)
        assert (said.what, said.share, said.figures) == (f"reading {path}", 0.0, {"rows": "0"})
        progress.note(12_000, 3, read=6_000_000)  # within a second
        assert (said.share, said.figures) == (0.75, {"rows": "12,000", "MB/s": "6.0", "quarantined": "3"})
    assert current() is None


def test_of_what_is_elsewhere_only_rows_are_known() -> None:
    with reading("hub:org/name") as progress:
        progress.note(64, 0)
        said = current()
        assert said is not None
        assert (said.share, said.figures) == (None, {"rows": "64"})
