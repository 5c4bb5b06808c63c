import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from prmkit.study.local import run_here
from tests.study.studies import cell, programs

FINE = "import pathlib; pathlib.Path('ran').open('a').write('x'); print('{\"a\": 1}')"
WRONG = "import sys; print('half a result'); print('first', file=sys.stderr); sys.exit('the reason')"


def silent(*_: object) -> None:
    pass


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_a_failed_cell_stops_what_waits_for_it_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(monkeypatch, a=WRONG, b=FINE, c=FINE, d=FINE)
    cells = {each.name: each for each in (cell(tmp_path, "a"), cell(tmp_path, "b", "a"), cell(tmp_path, "c", "b"))}
    cells["d"] = cell(tmp_path, "d")
    outcomes = run_here(cells, 2, silent)
    assert {name: (outcome.state, outcome.reason) for name, outcome in outcomes.items()} == {
        "a": ("failed", "the reason"),
        "b": ("skipped", "it needs a"),
        "c": ("skipped", "it needs b"),
        "d": ("done", ""),
    }
    assert (tmp_path / "ran").read_text() == "x"
    programs(monkeypatch, a=FINE, b=FINE, c=FINE, d=WRONG)
    again = run_here(cells, 1, silent)
    assert {name: outcome.state for name, outcome in again.items()} == {
        "a": "done",
        "b": "done",
        "c": "done",
        "d": "found",
    }
    assert (tmp_path / "ran").read_text() == "xxxx"


def test_cells_begin_when_their_inputs_are_done_and_no_more_than_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs(monkeypatch, **dict.fromkeys("abcd", FINE))
    cells = {each.name: each for each in (cell(tmp_path, "a"), cell(tmp_path, "b"), cell(tmp_path, "c", "a", "b"))}
    cells["d"] = cell(tmp_path, "d", "c")
    running, most, order = set[str](), 0, []

    def tell(each: object, outcome: object) -> None:
        nonlocal most
        name = each.name  # type: ignore[attr-defined]
        (running.add if outcome is None else running.discard)(name)
        most = max(most, len(running))
        order.append(name if outcome is None else f"{name} ended")

    run_here(cells, 2, tell)
    assert most == 2
    assert order.index("c") > max(order.index("a ended"), order.index("b ended"))
    assert order.index("d") > order.index("c ended")


KILLED = """
import sys
from pathlib import Path
import pytest
from prmkit.study.local import run_here
from tests.study.studies import cell, programs

folder = Path(sys.argv[1])
quick = "open('ran', 'a').write('x'); print(1)"
slow = "import time; open('begun', 'w').close(); time.sleep(float(open('naps').read())); print(2)"
with pytest.MonkeyPatch.context() as patch:
    programs(patch, quick=quick, slow=slow)
    cells = [cell(folder, "quick"), cell(folder, "slow", "quick")]
    print({name: one.state for name, one in run_here({each.name: each for each in cells}, 1, print).items()})
"""


def started(tmp_path: Path) -> "subprocess.Popen[str]":
    root = str(Path(__file__).parents[2])
    return subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "cells")],
        env=os.environ | {"PYTHONPATH": root},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come to that")


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_killed_study_goes_on_where_it_was(tmp_path: Path, how: signal.Signals) -> None:
    """The command that ran is interrupted too; killed itself, the study leaves it at work, and the next one waits."""
    (tmp_path / "naps").write_text("600" if how == signal.SIGINT else "3")
    first = started(tmp_path)
    until(lambda: (tmp_path / "begun").exists())
    first.send_signal(how)
    first.communicate(timeout=60)
    assert first.returncode != 0
    assert cell(tmp_path / "cells", "quick").done
    assert not cell(tmp_path / "cells", "slow").done
    (tmp_path / "naps").write_text("0")
    again = started(tmp_path)
    out, err = again.communicate(timeout=60)
    assert "{'quick': 'found', 'slow': 'done'}" in out, err
    assert (tmp_path / "ran").read_text() == "x"
