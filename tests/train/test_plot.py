import math
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from prmkit.train.plot import plot_history

Lines = dict[str, tuple[list[float], list[float]]]
"""The points of each line of a panel, by its name."""


def record(step: float, **values: float) -> dict[str, float]:
    return {"step": step, "train_loss": 0.5, "loss": 0.6, "auroc": 0.7, "f1": 0.3, "ece": 0.1, "lr": 1e-5, **values}


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Those that are saved."""
    saved: list[Figure] = []
    save = Figure.savefig

    def keep(self: Figure, *args: object, **kwargs: object) -> None:
        saved.append(self)
        save(self, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(Figure, "savefig", keep)
    return saved


def panels(figure: Figure) -> list[Lines]:
    return [
        {str(line.get_label()): (list(line.get_xdata()), list(line.get_ydata())) for line in axes.lines}  # type: ignore[arg-type]
        for axes in figure.axes
    ]


def test_losses_stand_left_and_what_is_a_share_right(tmp_path: Path, figures: list[Figure]) -> None:
    records = [record(4.0), record(8.0, train_loss=0.4, loss=2.5, auroc=0.8, f1=0.5, ece=0.2)]
    plot_history(records, tmp_path / "curve.png")
    (figure,) = figures
    losses, shares = panels(figure)
    steps = [4.0, 8.0]
    assert losses == {"training": (steps, [0.5, 0.4]), "held-out": (steps, [0.6, 2.5])}
    assert shares == {
        "AUROC": (steps, [0.7, 0.8]),
        "first-error F1": (steps, [0.3, 0.5]),
        "ECE": (steps, [0.1, 0.2]),
    }
    low, high = figure.axes[0].get_ylim()
    assert low < 0.4 < 2.5 < high
    assert figure.axes[1].get_ylim() == (0, 1)
    assert [axes.get_xlabel() for axes in figure.axes] == ["optimiser steps"] * 2
    assert all(axes.get_legend() is not None for axes in figure.axes)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_single_validation_can_be_seen(tmp_path: Path, figures: list[Figure]) -> None:
    plot_history([record(4.0)], tmp_path / "curve.png")
    assert {line.get_marker() for axes in figures[0].axes for line in axes.lines} == {"."}


def test_a_metric_that_was_not_known_leaves_a_gap(tmp_path: Path, figures: list[Figure]) -> None:
    """AUROC and F1 are NaN where the held-out labels are of one kind."""
    plot_history([record(1.0), record(2.0, auroc=math.nan), record(3.0)], tmp_path / "curve.png")
    steps, auroc = panels(figures[0])[1]["AUROC"]
    assert steps == [1.0, 2.0, 3.0]
    assert [math.isnan(value) for value in auroc] == [False, True, False]
