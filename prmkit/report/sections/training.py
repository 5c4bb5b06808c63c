"""Training curves, and what a training ended with."""

import math
from collections.abc import Iterator, Sequence

from prmkit.report.blocks import Axis, Block, Figure, Heading, Section, Series, Table
from prmkit.report.read import Run
from prmkit.train.result import TrainingResult

_CURVES = {
    "Loss": (("train_loss", "training"), ("loss", "held out")),
    "Step scores on held-out steps": (("auroc", "AUROC"), ("f1", "F1"), ("brier", "Brier score"), ("ece", "ECE")),
    "Learning rate": (("lr", "learning rate"),),
}


def training(runs: Sequence[Run]) -> Section:
    """Of each training run."""
    return Section(
        "Training", [block for run in runs if isinstance(run.result, TrainingResult) for block in _of(run, run.result)]
    )


def _of(run: Run, found: TrainingResult) -> Iterator[Block]:
    yield Heading(run.name)
    for title, columns in _CURVES.items():
        series = [
            Series(name=name, x=[row["step"] for row in run.history], y=[_known(row[key]) for row in run.history])
            for key, name in columns
            if run.history and key in run.history[0]
        ]
        if series:
            x, y = Axis(title="optimiser steps"), Axis(title=title.lower() if len(series) == 1 else "")
            yield Figure(title=f"{title}, {run.name}", x=x, y=y, series=series)
    rows = [(name.replace("_", " "), _shown(value)) for name, value in found if isinstance(value, int | float)]
    yield Table(title="At the end", columns=("figure", "value"), rows=rows)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _shown(value: float) -> str | None:
    if not math.isfinite(value):
        return None
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e9 else f"{value:.4g}"
