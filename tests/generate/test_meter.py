import threading

import pytest

from prmkit.generate import meter as module
from prmkit.generate.meter import Meter, Rate, meter_of
from tests.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(module, "time", clock)
    return clock


def test_nothing_is_lost_of_what_several_threads_count() -> None:
    meter = Meter()

    def count() -> None:
        for _ in range(5000):
            meter.add(drawn=1, read=2)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (meter.drawn, meter.read) == (20_000, 40_000)


def test_an_engine_that_asks_others_has_their_counts_in_its_own() -> None:
    first, second = Meter(), Meter()
    both = Meter(parts=[first, second])
    first.add(drawn=3, read=10)
    second.add(read=5)
    both.add(drawn=1)
    assert (both.drawn, both.read) == (4, 15)
    assert both.live
    assert not Meter(parts=[first, Meter(live=False)]).live


def test_an_engine_without_a_meter_has_none_whatever_it_calls_so() -> None:
    class Own:
        meter = "a stick"

    class Counting:
        meter = Meter()

    assert meter_of(Counting()) is Counting.meter
    assert meter_of(Own()) is meter_of(object()) is meter_of(None) is None


def test_a_rate_is_that_of_the_window(clock: Clock) -> None:
    meter = Meter()
    meter.add(drawn=1000)  # before anybody looked
    rate = Rate(lambda: meter.drawn, 5.0)
    assert rate.now() == 0.0  # no time has passed
    for second in range(1, 11):
        clock.now += 1.0
        meter.add(drawn=10 if second <= 5 else 100)
        # 10 a second as long as it goes on; then one second more of the last five has 100, until all have.
        assert rate.now() == (10 if second <= 5 else 10 + 18 * (second - 5))
    for second in range(1, 7):
        clock.now += 1.0
        assert rate.now() == max(0, 100 - 20 * second)


def test_who_asks_seldom_gets_the_rate_since_the_last_time(clock: Clock) -> None:
    meter = Meter()
    rate = Rate(lambda: meter.drawn, 5.0)
    for tokens in (600, 0, 60):
        clock.now += 20.0
        meter.add(drawn=tokens)
        assert rate.now() == tokens / 20


def test_a_window_without_end_looks_back_to_the_beginning(clock: Clock) -> None:
    meter = Meter()
    rate = Rate(lambda: meter.read, float("inf"))
    for second in range(1, 100):
        clock.now += 1.0
        meter.add(read=second % 2)
        assert rate.now() == pytest.approx((second + 1) // 2 / second)
