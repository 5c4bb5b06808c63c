from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

import pytest

from prmkit.run import activity
from prmkit.run.activity import Activity, busy, current, watching


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def watch(told: list[str]) -> Callable[[Activity], AbstractContextManager[None]]:
    @contextmanager
    def watch(begun: Activity) -> Iterator[None]:
        told.append(f"{begun.what} begins")
        yield
        told.append(f"{begun.what} is over")

    return watch


def test_who_watches_is_told_when_it_begins_and_when_it_is_over(
    told: list[str], watch: Callable[[Activity], AbstractContextManager[None]]
) -> None:
    with busy("before"):
        pass
    with watching(watch), busy("outer"), busy("inner"):
        told.append("work")
    with busy("after"):
        pass
    assert told == ["outer begins", "inner begins", "work", "inner is over", "outer is over"]


def test_the_current_one_is_that_which_the_others_wait_for() -> None:
    assert current() is None
    with busy("outer") as outer:
        assert current() is outer
        with busy("inner") as inner:
            assert current() is inner
        assert current() is outer
    assert current() is None


def test_an_activity_that_fails_is_over(watch: Callable[[Activity], AbstractContextManager[None]]) -> None:
    with pytest.raises(RuntimeError, match="as it is"), watching(watch), busy("in vain"):
        raise RuntimeError("as it is")
    assert current() is None


def test_it_reads_as_what_it_is_how_far_and_for_how_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 100.0

    class Clock:
        def monotonic(self) -> float:
            return now

    monkeypatch.setattr(activity, "time", Clock())
    with busy("loading m (15.2 GB of safetensors)") as loading:
        assert str(loading) == "loading m (15.2 GB of safetensors), 0 s"
        now += 12.4
        loading.share = 0.4
        assert str(loading) == "loading m (15.2 GB of safetensors), 40 %, 12 s"
    assert capsys.readouterr() == ("", "")  # nothing shows by itself
