import io
import json
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from prmkit.commands import live
from prmkit.commands.live import activities, progress
from prmkit.run.activity import busy
from prmkit.world import WEIGHTS
from tests.commands.conftest import Answer


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now


def test_elsewhere_than_on_a_terminal_progress_is_a_line_at_times_and_at_the_end(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr(live, "time", clock)
    with progress("search", 5) as done:
        for now in (1.0, 9.0, 10.0, 11.0):
            clock.now = now
            done(1, {"accuracy": "50 %", "PRM": "7 tok/s"})
        clock.now = 21.0
        done(0, {"accuracy": "60 %"})
        clock.now = 22.0
        done()
        done(0)  # figures of a run that is done; it was said already
    assert capsys.readouterr() == (
        "",
        "search: 3 of 5, 10 s, accuracy 50 %, PRM 7 tok/s\nsearch: 4 of 5, 21 s, accuracy 60 %\nsearch: 5 of 5, 22 s\n",
    )


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """What stands on the terminal from now on."""
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    return terminal


def test_on_a_terminal_progress_is_a_bar_with_figures_below_on_standard_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = on_terminal(monkeypatch)
    with progress("search", 3) as done:
        done(2, {"accuracy": "50 %"})
        done()
    shown = terminal.getvalue()
    for part in ("search", "3/3", "accuracy", "50 %"):
        assert part in shown, part
    assert capsys.readouterr().out == ""


def test_on_a_terminal_an_activity_is_a_line_that_goes_when_it_is_over(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = on_terminal(monkeypatch)
    with activities(), busy("loading m (15.2 GB of safetensors)") as loading:
        loading.share = 0.5
        assert live._FOOT._live.is_started
    assert "loading m (15.2 GB of safetensors), 50 %, 0 s" in terminal.getvalue()
    assert terminal.getvalue().endswith("\x1b[2K")  # the line is erased
    assert not live._FOOT._live.is_started
    assert capsys.readouterr().out == ""


def test_beside_a_bar_the_activity_is_in_the_same_display(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = on_terminal(monkeypatch)
    with activities(), progress("labels", 3) as done:
        display = live._FOOT._live
        with busy("loading m"):
            done(1, {"policy": "7 tok/s"})
            assert live._FOOT._live is display  # a terminal has room for one
            display.refresh()
        shown = terminal.getvalue()
        assert display.is_started
    for part in ("labels", "1/3", "7 tok/s", "loading m, 0 s"):
        assert part in shown, part


def test_what_an_activity_prints_is_left_to_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that it starts by a fork has the streams of this one, but nobody who draws."""
    terminal = on_terminal(monkeypatch)
    with activities(), busy("loading m"):
        assert sys.stderr is terminal
    with progress("search", 1):
        assert sys.stderr is not terminal  # what is printed goes above the bar


class Waiting(threading.Event):
    """Passes no time: is over after so many pauses, which it notes."""

    def __init__(self, pauses: int) -> None:
        super().__init__()
        self.left, self.noted = pauses, []  # type: ignore[var-annotated]

    def wait(self, timeout: float | None = None) -> bool:
        self.noted.append(timeout)
        self.left -= 1
        return self.left < 0


def test_in_a_log_an_activity_is_a_line_soon_and_then_every_ten_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    with busy("loading m") as loading:
        ended = Waiting(3)
        live._log(loading, ended)
    assert ended.noted == [1.0, 10.0, 10.0, 10.0]
    assert capsys.readouterr() == ("", "loading m, 0 s\n" * 3)


def test_in_a_log_only_the_activity_that_the_others_wait_for_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with busy("reading the inputs") as outer, busy("loading m") as inner:
        live._log(outer, Waiting(3))
        live._log(inner, Waiting(1))
    assert capsys.readouterr().err == "loading m, 0 s\n"


def test_in_a_log_a_bar_keeps_up_where_nothing_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = Clock()
    monkeypatch.setattr(live, "time", clock)
    monkeypatch.setattr(live, "_said", 0.0)
    line = live._Line("judge", 3)

    class Looks(Waiting):
        """A look every four seconds."""

        def wait(self, timeout: float | None = None) -> bool:
            clock.now += 4.0
            return super().wait(timeout)

    line.keep_up(Looks(5))  # at 4, 8, ..., 20 seconds: the second line is not due
    assert capsys.readouterr().err == "judge: 0 of 3, 12 s\n"
    line.done()  # at 24 seconds
    line.keep_up(Looks(3))
    assert capsys.readouterr().err == "judge: 1 of 3, 24 s\njudge: 1 of 3, 36 s\n"


def test_what_is_over_at_once_is_no_line_of_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    threads = threading.active_count()
    with activities(), busy("loading m"):
        assert threading.active_count() == threads + 1
    assert threading.active_count() == threads
    assert capsys.readouterr() == ("", "")


def test_of_processes_that_share_a_run_one_tells(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(live, "_SECONDS_BEFORE_A_LINE", 0.0)
    told = threading.Event()
    monkeypatch.setattr(live.typer, "echo", lambda *arguments, **options: told.set())
    with activities(), busy("loading m"):
        assert told.wait(10)
    told.clear()
    monkeypatch.setenv("RANK", "1")
    with activities(), busy("loading m"):
        assert not told.wait(0.2)


def test_a_search_says_in_its_log_what_it_loads_and_prints_its_result_alone(
    prmkit: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "_SECONDS_BEFORE_A_LINE", 0.0)
    policy = WEIGHTS / "policy"
    recipe = tmp_path / "small.yaml"
    recipe.write_text(
        "stage: search\nproblems: {benchmark: synthetic-math, limit: 2}\n"
        f"generator: {{name: {policy}, sampling: {{max_tokens: 50}}}}\n"
        "strategy: {name: majority, options: {n: 2}}\n"
    )
    answer = prmkit("search", recipe, "--out", tmp_path / "run", "--json")
    assert json.loads(answer.out)["accuracy"]["n"] == 2
    lines = answer.err.splitlines()
    assert lines[0].startswith("reading the inputs, ")
    assert any(line.startswith(f"loading {policy} (") and " of safetensors)" in line for line in lines)
    assert sum(line.startswith("search by majority: ") for line in lines) == 1  # of a search of seconds
    assert any(line.startswith("search by majority: 2 of 2, ") for line in lines)
