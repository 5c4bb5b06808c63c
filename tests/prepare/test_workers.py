import os
import pickle
import signal
import sys
import time
from pathlib import Path

import pytest

from prmkit.errors import InputError, RunError
from prmkit.prepare import workers as workers_module
from prmkit.prepare.workers import Workers


def doubled(value: int) -> int:
    time.sleep(0.02 if value % 3 == 0 else 0)  # later ones are ready first
    return 2 * value


def pid(value: int) -> int:
    return os.getpid()


def refusing(value: int) -> int:
    if value == 3:
        raise InputError("three", where="row 3")
    return value


def broken(value: int) -> int:
    return [][value]


def dying(value: int) -> int:
    os.kill(os.getpid(), signal.SIGKILL)
    return value


def test_replies_come_in_the_order_of_the_values() -> None:
    with Workers(doubled, 2) as workers:
        assert list(workers.in_order(range(20))) == [(value, 2 * value) for value in range(20)]


def test_the_work_is_done_by_other_processes() -> None:
    with Workers(pid, 2) as workers:
        pids = {found for _, found in workers.in_order(range(20))}
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2


def test_what_cannot_be_sent_leaves_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    started = []

    class Noted(workers_module._Worker):
        def __init__(self) -> None:
            super().__init__()
            started.append(self._process)

    monkeypatch.setattr(workers_module, "_Worker", Noted)
    with pytest.raises(Exception, match="pickle"), Workers(lambda value: value, 2):
        pass
    assert len(started) == 2
    assert all(process.returncode is not None for process in started)


def test_a_file_of_the_current_folder_takes_no_librarys_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", [entry for entry in sys.path if entry])
    (tmp_path / "queue.py").write_text("raise SystemExit")
    with Workers(doubled, 1) as workers:
        assert list(workers.in_order([1])) == [(1, 2)]


def test_few_values_are_taken_before_their_turn() -> None:
    taken: list[int] = []

    def values() -> "list[int]":
        for value in range(100):
            taken.append(value)
            yield value  # type: ignore[misc]

    with Workers(doubled, 2) as workers:
        replies = workers.in_order(values())
        assert next(replies) == (0, 0)
        assert len(taken) == 5
        replies.close()  # type: ignore[attr-defined]


def test_what_a_user_can_mend_is_raised_as_it_was() -> None:
    with Workers(refusing, 2) as workers, pytest.raises(InputError, match="row 3: three"):
        list(workers.in_order(range(9)))


def test_a_bug_is_told_with_its_place() -> None:
    with Workers(broken, 1) as workers, pytest.raises(RuntimeError, match=r"return \[\]\[value\](?s:.*)IndexError"):
        list(workers.in_order(range(3)))


def test_a_worker_that_dies_ends_the_work_in_one_line() -> None:
    with Workers(dying, 2) as workers, pytest.raises(RunError, match=r"a worker process died \(exit code -9\)"):
        list(workers.in_order(range(9)))


def test_workers_that_cannot_be_told_what_to_do_are_not_left_behind() -> None:
    workers = Workers(lambda value: value, 2)  # no pickle
    with pytest.raises((AttributeError, pickle.PicklingError)), workers:
        raise AssertionError("it has no workers")
    assert all(worker._process.poll() is not None for worker in workers._all)
