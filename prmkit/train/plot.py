"""The picture of a training."""

from collections.abc import Sequence
from pathlib import Path

from matplotlib.figure import Figure

from prmkit.run.files import partial_file


def plot_history(records: Sequence[dict[str, float]], file: Path) -> None:
    """Draw losses (left), and AUROC, first-error F1 and calibration error (right), against the training's steps."""
    figure = Figure(figsize=(9, 3.4), layout="constrained")
    panels = figure.subplots(1, 2)
    names = ({"train_loss": "training", "loss": "held-out"}, {"auroc": "AUROC", "f1": "first-error F1", "ece": "ECE"})
    for panel, shown, title in zip(panels, names, ("loss", "held-out problems"), strict=True):
        for column, name in shown.items():
            panel.plot([row["step"] for row in records], [row[column] for row in records], marker=".", label=name)
        panel.set(xlabel="optimiser steps", title=title)
        panel.grid(alpha=0.3)
        panel.legend()
    panels[1].set_ylim(0, 1)
    with partial_file(file) as partial:
        figure.savefig(partial, dpi=120, format=file.suffix[1:])
