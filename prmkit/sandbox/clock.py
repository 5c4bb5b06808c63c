"""The clock of a program: the seconds that it had, however busy the machine is.

A wall clock counts what other programs took. So a program is charged for its processor time, and for the time in which
it slept: that is, did nothing although it could have. Where the processor time of another process cannot be read
(macOS), all time is charged, as by a wall clock.

Source: clock_gettime(2) and clock_getcpuclockid(3), for the clock of a process.
"""

import sys
import time

WINDOW = 0.25
"""Seconds after which it is looked whether a program sleeps; what is shorter is not seen."""
_ASLEEP = 0.001
"""A program that had less processor time than this in a window was asleep: a starved one gets more."""


class ProgramClock:
    """The seconds that a process had, of which those count in which somebody waits for it.

    Processes that the program starts are not measured: while it waits for them, it sleeps.
    """

    def __init__(self, process: int) -> None:
        self._id = ~process << 3 | 2
        self._before = 0.0
        self._begun, self._cpu = time.monotonic(), 0.0

    def resume(self) -> None:
        """Somebody waits for the program from now on: until now it may have had nothing to do."""
        now, cpu = time.monotonic(), self._processor_time()
        self._before += self._worked(cpu, now)
        self._begun, self._cpu = now, max(self._cpu, cpu or 0.0)

    def seconds(self) -> float:
        """The seconds that the program had."""
        now, cpu = time.monotonic(), self._processor_time()
        passed, worked = now - self._begun, self._worked(cpu, now)
        if cpu is None:
            worked = passed
        if passed < WINDOW:
            return self._before + worked
        self._before += passed if worked < _ASLEEP else worked
        self._begun, self._cpu = now, max(self._cpu, cpu or 0.0)
        return self._before

    def _worked(self, cpu: float | None, now: float) -> float:
        """Processor time since the last look, at most the time that passed: several threads are charged as one."""
        return 0.0 if cpu is None else min(max(cpu - self._cpu, 0.0), now - self._begun)

    def _processor_time(self) -> float | None:
        """None where it cannot be read, or the process has ended."""
        if sys.platform != "linux":
            return None
        try:
            return time.clock_gettime(self._id)
        except OSError:
            return None
