import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from prmkit.sandbox import clock, isolate
from prmkit.sandbox.clock import WINDOW, ProgramClock
from prmkit.sandbox.isolate import Limits, Outcome
from tests.clock import Clock


class Times(Clock):
    """Both clocks, each put on by hand; a processor time of None cannot be read."""

    cpu: float | None = 0.0

    def clock_gettime(self, process: int) -> float:
        if self.cpu is None:
            raise ProcessLookupError
        return self.cpu

    def pass_(self, wall: float, cpu: float = 0.0) -> None:
        self.now += wall
        self.cpu = None if self.cpu is None else self.cpu + cpu


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> Times:
    found = Times()
    monkeypatch.setattr(clock, "time", found)
    monkeypatch.setattr(sys, "platform", "linux")
    return found


def test_a_program_is_charged_for_its_processor_time(times: Times) -> None:
    program = ProgramClock(1)
    times.pass_(0.1, 0.02)
    assert program.seconds() == pytest.approx(0.02)
    times.pass_(5.0, 0.5)  # it was starved
    assert program.seconds() == pytest.approx(0.52)
    times.pass_(1.0, 2.0)  # of two threads
    assert program.seconds() == pytest.approx(1.52)


def test_a_program_is_charged_for_its_sleep(times: Times) -> None:
    program = ProgramClock(1)
    times.pass_(WINDOW / 2)
    assert program.seconds() == 0.0  # too short to tell
    times.pass_(WINDOW)
    assert program.seconds() == pytest.approx(1.5 * WINDOW)
    times.pass_(3.0, 0.0005)
    assert program.seconds() == pytest.approx(1.5 * WINDOW + 3.0)


def test_time_in_which_nobody_waits_is_not_charged(times: Times) -> None:
    program = ProgramClock(1)
    times.pass_(10.0)
    program.resume()
    assert program.seconds() == 0.0
    times.pass_(10.0, 1.0)  # what it computed meanwhile is
    program.resume()
    assert program.seconds() == pytest.approx(1.0)


def test_without_a_processor_time_all_time_is_charged(times: Times) -> None:
    program = ProgramClock(1)
    times.pass_(1.0, 0.4)
    assert program.seconds() == pytest.approx(0.4)
    times.cpu = None  # it has ended
    times.pass_(0.1)
    assert program.seconds() == pytest.approx(0.5)
    times.pass_(2.0)
    assert program.seconds() == pytest.approx(2.5)


@pytest.mark.skipif(sys.platform != "linux", reason="the processor time of another process")
def test_the_clock_of_another_process_is_that_process_s_own() -> None:
    program = "import time\nwhile time.process_time() < 0.3: pass\nprint(flush=True)\ntime.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as process:
        measured = ProgramClock(process.pid)
        assert process.stdout is not None
        process.stdout.readline()
        measured.resume()
        assert 0.2 < measured.seconds() < 0.3 + WINDOW  # its own start is not all charged
        process.kill()


@contextmanager
def burners(number: int) -> Iterator[None]:
    """So many processes that take all the processor time that they get.

    Each has a session of its own, as programs have: Linux may share the processors out by session.
    """
    busy = [sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(busy, start_new_session=True) for _ in range(number)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


BUSY = (
    "import time\ndef f(x):\n    end = time.process_time() + x\n    while time.process_time() < end: pass\n    return x"
)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the processor time of another process")
def test_a_loaded_machine_changes_no_outcome() -> None:
    with burners(2 * (os.cpu_count() or 1)):
        start = time.monotonic()
        outcomes = list(isolate.iter_calls(BUSY, "f", ["[1.5]", "[1.5]"], Limits(seconds=8.0), each=[4.0, 4.0]))
        assert time.monotonic() - start > 4.5  # by the wall, one call at least was late
        assert outcomes == [Outcome(value_json="1.5")] * 2
        assert isolate.run_calls(BUSY, "f", ["[60]"], seconds=2.0) == [Outcome(error="Timeout")]


def test_a_program_that_sleeps_for_ever_ends() -> None:
    with closing(
        isolate.iter_calls("import time\ndef f(x): time.sleep(x)", "f", ["[1000]"], Limits(seconds=0.5))
    ) as run:
        assert next(run) == Outcome(error="Timeout")
