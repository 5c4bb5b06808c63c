import csv
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from prmkit.run.activity import current
from prmkit.train.progress import COLUMNS, History

MEASURED = {"train_loss": 0.5, "loss": 0.625, "auroc": 0.75, "brier": 0.25, "ece": 0.125, "f1": 0.5}


class Clock:
    """Says what time it is."""

    def __init__(self, now: float) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock(1000.0)
    monkeypatch.setattr("prmkit.train.progress.time.monotonic", made)
    return made


def trainer(step: int, *, first: bool = True, **metrics: float) -> Any:
    return SimpleNamespace(
        global_step=step,
        current_epoch=step // 4,
        estimated_stepping_batches=12,
        is_global_zero=first,
        callback_metrics={name: torch.tensor(value) for name, value in (MEASURED | metrics).items()},
        optimizers=[SimpleNamespace(param_groups=[{"lr": 1 / (1 + step)}])],
    )


def validate(history: History, *steps: int, first: bool = True, **metrics: float) -> None:
    for step in steps:
        module: Any = SimpleNamespace(tokens=100 * step, flops=1e3 * step)
        history.on_validation_end(trainer(step, first=first, **metrics), module)


def start(history: History, step: int = 0, *, first: bool = True) -> None:
    history.on_train_start(trainer(step, first=first), None)  # type: ignore[arg-type]


def lines(file: Path) -> list[dict[str, float]]:
    with file.open(newline="", encoding="utf-8") as stream:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(stream)]


def test_each_validation_is_a_line_of_the_file(tmp_path: Path, clock: Clock) -> None:
    history = History(tmp_path / "history.csv", show=False)
    start(history)
    clock.now += 5.0
    validate(history, 3)
    clock.now += 5.0
    validate(history, 6, loss=0.5)
    first = {**MEASURED, "step": 3, "epoch": 0, "tokens": 300, "flops": 3e3, "lr": 0.25, "seconds": 5.0}
    second = {**MEASURED, "step": 6, "epoch": 1, "tokens": 600, "flops": 6e3, "lr": 1 / 7, "seconds": 10.0, "loss": 0.5}
    assert lines(tmp_path / "history.csv") == history.records == [first, second]
    assert tuple(lines(tmp_path / "history.csv")[0]) == COLUMNS


def test_an_unknown_metric_is_read_back_as_unknown(tmp_path: Path) -> None:
    history = History(tmp_path / "history.csv", show=False)
    validate(history, 1, auroc=float("nan"))
    assert str(lines(tmp_path / "history.csv")[0]["auroc"]) == "nan"


def test_only_the_first_process_writes_and_all_remember(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = History(tmp_path / "history.csv", show=True)
    start(history, first=False)
    validate(history, 3, 6, first=False)
    assert [record["step"] for record in history.records] == [3.0, 6.0]
    assert list(tmp_path.iterdir()) == []
    assert capsys.readouterr() == ("", "")


def test_who_watches_gets_a_line_on_standard_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = History(tmp_path / "history.csv", show=True)
    start(history)
    validate(history, 6)
    out, err = capsys.readouterr()
    assert out == ""  # it is for results
    assert err.startswith(
        "step 6/12  train loss 0.5000  held-out loss 0.6250  AUROC 0.750  Brier 0.250  ECE 0.125  first-error F1 0.500"
    )
    assert err.count("\n") == 1  # whatever the width of the terminal


def test_who_does_not_watch_gets_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    history = History(tmp_path / "history.csv", show=False)
    start(history)
    validate(history, 6)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("left", ["whole", "torn between two lines", "torn in a line", "gone"])
def test_a_training_goes_on_from_its_state_whatever_is_in_the_file(tmp_path: Path, left: str) -> None:
    file = tmp_path / "history.csv"
    killed = History(file, show=False)
    start(killed)
    validate(killed, 3, 6)
    state = {"records": list(killed.records), "seconds": 7.0}
    validate(killed, 9)  # after the state was saved
    whole = file.read_bytes()
    if left == "gone":
        file.unlink()
    else:
        sizes = {"torn between two lines": whole.index(b"\n6.0") + 1, "torn in a line": len(whole) - 20}
        file.write_bytes(whole[: sizes.get(left)])
    again = History(file, show=False)
    again.load_state_dict(state)
    start(again, 6)
    assert [line["step"] for line in lines(file)] == [3.0, 6.0]
    validate(again, 9, 12)
    assert [line["step"] for line in lines(file)] == [3.0, 6.0, 9.0, 12.0]
    assert [record["step"] for record in state["records"]] == [3.0, 6.0]  # type: ignore[attr-defined]


def test_a_training_that_begins_anew_forgets_what_a_killed_one_found(tmp_path: Path) -> None:
    """Killed after its first validation, and before its first state."""
    file = tmp_path / "history.csv"
    validate(History(file, show=False), 3)
    start(History(file, show=False))
    assert not file.exists()


def test_a_kill_while_the_file_is_written_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "history.csv"
    history = History(file, show=False)
    validate(history, 3, 6)
    before = file.read_bytes()

    def die(self: "csv.DictWriter[str]", rows: list[dict[str, float]]) -> None:
        self.writerow(rows[0])
        raise KeyboardInterrupt

    monkeypatch.setattr(csv.DictWriter, "writerows", die)
    with pytest.raises(KeyboardInterrupt):
        validate(history, 9)
    assert file.read_bytes() == before


def test_seconds_are_those_of_the_training_with_what_came_before_a_stop(tmp_path: Path, clock: Clock) -> None:
    first = History(tmp_path / "history.csv", show=False)
    clock.now += 50.0  # the model is loaded
    start(first)
    clock.now += 15.0
    assert first.seconds == 15.0
    again = History(tmp_path / "history.csv", show=False)
    again.load_state_dict(first.state_dict())
    clock.now += 1000.0  # nobody trains
    start(again, 6)
    clock.now += 5.0
    assert again.seconds == 20.0
    assert again.state_dict()["seconds"] == 20.0


SHOW_CURSOR = "\x1b[?25h"


@pytest.mark.parametrize("end", ["train_end", "exception"])
def test_a_bar_on_a_terminal_leaves_it_in_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich then takes anything for a terminal
    monkeypatch.setenv("TERM", "xterm")
    history = History(tmp_path / "history.csv", show=True)
    start(history)
    history.on_train_batch_end(trainer(6))
    before = capsys.readouterr()
    assert "\x1b[?25l" in before.err
    assert SHOW_CURSOR not in before.err
    if end == "exception":
        history.on_exception(trainer(6), None, KeyboardInterrupt())  # type: ignore[arg-type]
    else:
        history.on_train_end(trainer(6), None)  # type: ignore[arg-type]
    after = capsys.readouterr()
    assert SHOW_CURSOR in after.err
    assert "6/12" in after.err
    assert before.out + after.out == ""


def test_the_bar_of_a_training_that_goes_on_begins_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm")
    history = History(tmp_path / "history.csv", show=True)
    start(history, 6)
    history.on_train_end(trainer(6), None)  # type: ignore[arg-type]
    assert "6/12" in capsys.readouterr().err


def test_until_the_training_starts_it_is_being_set_up(tmp_path: Path) -> None:
    history = History(tmp_path / "history.csv", show=False)
    history.setup(trainer(0), None, "fit")  # type: ignore[arg-type]
    under_way = current()
    assert under_way is not None
    assert under_way.what == "setting the training up"
    start(history)
    under_way = current()
    assert under_way is not None
    assert under_way.what == "training"
    history.on_train_end(trainer(12), None)  # type: ignore[arg-type]
    assert current() is None
    history.setup(trainer(0), None, "fit")  # type: ignore[arg-type]
    history.on_exception(trainer(0), None, RuntimeError())  # type: ignore[arg-type]
    assert current() is None


def test_without_a_terminal_the_steps_are_told_as_an_activity(tmp_path: Path) -> None:
    history = History(tmp_path / "history.csv", show=False)
    start(history, 2)
    under_way = current()
    assert under_way is not None
    history.on_train_batch_end(trainer(2))  # the first batch of a step
    assert (under_way.share, under_way.figures) == (None, {})
    history.on_train_batch_end(trainer(3))
    assert under_way.share == 0.25
    assert under_way.figures["of 12 steps"] == "3"
    assert under_way.figures.keys() == {"of 12 steps", "s a step", "s to go"}
    history.on_train_end(trainer(12), None)  # type: ignore[arg-type]
