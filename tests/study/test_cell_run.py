import fcntl
import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from prmkit.errors import RunError
from prmkit.study.cell_run import CellOutcome, Processes, record_of, run_cell, shown
from tests.study.studies import cell, programs

FINE = "print('{\"a\": 1}')"


def test_the_record_keeps_what_was_printed_and_the_cell_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(monkeypatch, a=FINE)
    one = cell(tmp_path / "cells", "a")
    outcome = run_cell(one)
    record = record_of(one)
    assert outcome == CellOutcome(cell="a", state="done", seconds=record["seconds"])
    assert (record["command"], record["result"]) == ("prmkit a", {"a": 1})
    assert record["seconds"] > 0
    assert record["cpu_seconds"] > 0
    assert one.log.read_text() == "$ prmkit a\n"
    assert one.done
    assert sorted(file.name for file in one.folder.parent.iterdir()) == ["a.json", "a.lock", "a.log"]


def test_a_cell_that_is_done_is_found_and_not_run_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    programs(monkeypatch, a="raise SystemExit('run again')")
    one = cell(tmp_path, "a")
    one.record.write_text(json.dumps({"command": "prmkit a", "seconds": 7.5, "result": {}}))
    assert run_cell(one) == CellOutcome(cell="a", state="found", seconds=7.5)
    assert not one.log.exists()


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("import sys; print('{}'); print('first', file=sys.stderr); sys.exit('the reason')", "the reason"),
        ("raise SystemExit(3)", "it said nothing"),
        ("import sys; print('said', file=sys.stderr); print(file=sys.stderr); raise SystemExit(2)", "said"),
        ("import os; os.kill(os.getpid(), 9)", "killed by signal 9; it said nothing"),
        ("print('no json')", "it printed no JSON"),
        ("pass", "it printed no JSON"),
    ],
)
def test_a_cell_that_fails_says_why_and_is_not_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, program: str, reason: str
) -> None:
    programs(monkeypatch, a=program)
    one = cell(tmp_path, "a")
    outcome = run_cell(one)
    assert (outcome.state, outcome.reason, outcome.good) == ("failed", reason, False)
    assert outcome.seconds > 0
    assert not one.done
    programs(monkeypatch, a=FINE)
    assert run_cell(one).state == "done"
    assert one.log.read_text().count("$ prmkit a\n") == 2  # what was said before is kept


def test_what_waits_may_go_on_after_good_cells_alone() -> None:
    states = ("done", "found", "failed", "skipped")
    assert [CellOutcome(cell="a", state=state).good for state in states] == [True, True, False, False]


def test_threads_are_those_asked_for_unless_the_environment_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "import json, os; print(json.dumps(os.environ.get('OMP_NUM_THREADS')))"
    programs(monkeypatch, a=program, b=program, c=program)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    run_cell(cell(tmp_path, "a"))
    run_cell(cell(tmp_path, "b"), threads=3)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    run_cell(cell(tmp_path, "c"), threads=3)
    assert [record_of(cell(tmp_path, name))["result"] for name in "abc"] == [None, "3", "5"]


def test_the_command_is_shown_as_it_would_be_typed(tmp_path: Path) -> None:
    spaced = replace(cell(tmp_path, "a"), words=("train", "x", "--set", "data.path=a file", "--set", "sets=[1, 2]"))
    assert shown(spaced) == "prmkit train x --set 'data.path=a file' --set 'sets=[1, 2]'"


def test_a_process_that_helps_runs_the_command_and_keeps_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(monkeypatch, a=f"import pathlib; pathlib.Path(r'{tmp_path}/ran').touch()", b="raise SystemExit(4)")
    monkeypatch.setenv("RANK", "1")
    assert run_cell(cell(tmp_path / "cells", "a")) == CellOutcome(cell="a", state="done")
    assert run_cell(cell(tmp_path / "cells", "b")) == CellOutcome(cell="b", state="failed", reason="exit code 4")
    assert (tmp_path / "ran").exists()
    assert not (tmp_path / "cells").exists()


def until(condition: Callable[[], object]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


SLOW = "open(r'{}', 'w').close(); import time; time.sleep(600)"


def test_an_interrupt_reaches_what_runs_and_nothing_begins_after_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(monkeypatch, a=SLOW.format(tmp_path / "begun"), b=SLOW.format(tmp_path / "later"))
    processes, outcomes = Processes(), {}

    def run(name: str) -> None:
        outcomes[name] = run_cell(cell(tmp_path, name), processes)

    thread = threading.Thread(target=run, args=("a",))
    thread.start()
    until((tmp_path / "begun").exists)
    processes.interrupt()
    thread.join(timeout=60)
    run("b")
    assert outcomes["a"].reason == "killed by signal 2; KeyboardInterrupt"
    assert (outcomes["b"].state, outcomes["b"].reason) == ("failed", "interrupted")
    assert not (tmp_path / "later").exists()
    assert cell(tmp_path, "b").log.read_text() == "$ prmkit b\n"


def test_an_interrupt_waits_for_no_other_process_at_the_cell(tmp_path: Path) -> None:
    one, processes, outcomes = cell(tmp_path, "a"), Processes(), []
    thread = threading.Thread(target=lambda: outcomes.append(run_cell(one, processes)))
    with one.lock.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        thread.start()
        processes.interrupt()
        thread.join(timeout=60)
    assert [outcome.reason for outcome in outcomes] == ["interrupted"]


def test_what_does_not_end_by_itself_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deaf = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); {SLOW.format(tmp_path / 'begun')}"
    programs(monkeypatch, a=deaf)
    monkeypatch.setattr("prmkit.study.cell_run._PATIENCE", 0.2)
    processes, outcomes = Processes(), []
    thread = threading.Thread(target=lambda: outcomes.append(run_cell(cell(tmp_path, "a"), processes)))
    thread.start()
    until((tmp_path / "begun").exists)
    processes.interrupt()
    thread.join(timeout=60)
    assert [outcome.reason for outcome in outcomes] == ["killed by signal 9; it said nothing"]


def test_who_comes_to_a_cell_at_work_waits_and_finds_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    programs(monkeypatch, a=f"open(r'{tmp_path}/begun', 'a').write('x'); open(r'{go}').read(); print(1)")
    outcomes = []
    threads = [threading.Thread(target=lambda: outcomes.append(run_cell(cell(tmp_path, "a")))) for _ in range(2)]
    for thread in threads:
        thread.start()
    until((tmp_path / "begun").exists)
    go.write_text("")  # blocks until the command reads
    for thread in threads:
        thread.join(timeout=60)
    assert sorted(outcome.state for outcome in outcomes) == ["done", "found"]
    assert (tmp_path / "begun").read_text() == "x"


@pytest.mark.parametrize("text", ["", '{"seconds": 1.0', '{"seconds": 1.0}', '{"seconds": "x", "result": 1}', "[1]"])
def test_a_broken_record_is_named_with_what_to_do(tmp_path: Path, text: str) -> None:
    one = cell(tmp_path, "a")
    one.record.write_text(text)
    with pytest.raises(RunError, match=r"a\.json: the record of the cell is broken\. Remove it, and the cell is run"):
        record_of(one)
