import pytest

from prmkit.search import progress
from prmkit.search.progress import Progress
from prmkit.session import Session
from tests.search.world import World, world_session


class Clock:
    """Stands still until it is put on."""

    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def sessions(n: int) -> list[Session]:
    return [world_session(World({}), name=str(index)) for index in range(n)]


def test_before_anything_is_known_nothing_is_claimed(clock: Clock) -> None:
    shown = Progress(sessions(3))
    assert (shown.done, shown.total) == (0, 3)
    assert shown.figures() == {"accuracy": "-", "policy": "0 tok/s", "PRM": "0 tok/s", "cache": "-", "to go": "?"}


def test_figures_by_hand(clock: Clock) -> None:
    running = sessions(4)
    shown = Progress(running)
    for session, right in zip(running, (True, True, False), strict=False):
        shown.end(session, right)
    clock.now += 30.0
    running[0].ledger.decode_tokens = 60_000
    running[3].ledger.decode_tokens = 15_000  # of a problem that is not done yet
    running[0].ledger.prm_tokens = 300
    running[1].ledger.prm_cached_tokens = 500
    running[2].ledger.cached_tokens = 100
    running[3].ledger.prefill_tokens = 100
    assert shown.done == 3
    assert shown.figures() == {
        # 2 of 3, and the standard error of their mean: sqrt((2/3 x 1/3) / 2).
        "accuracy": "66.7 ± 33.3 %",
        "policy": "2,500 tok/s",
        "PRM": "10 tok/s",
        # 600 of the 1000 tokens that were read; what was drawn is not read.
        "cache": "60 %",
        # Three problems in 30 seconds, and one is left.
        "to go": "10 s",
    }


def test_one_problem_has_no_error(clock: Clock) -> None:
    (only,) = running = sessions(1)
    shown = Progress(running)
    shown.end(only, True)
    assert shown.figures()["accuracy"] == "100.0 %"
    assert shown.figures()["to go"] == "0 s"


def test_a_problem_that_is_reported_again_counts_once(clock: Clock) -> None:
    first, second = running = sessions(2)
    shown = Progress(running)
    for right in (True, False):
        shown.end(first, right)
    assert shown.done == 1
    assert shown.figures()["accuracy"] == "0.0 %"
    shown.end(second, False)
    assert shown.done == 2
