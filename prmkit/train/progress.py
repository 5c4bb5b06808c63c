"""The course of a training: its history as a CSV file, and a bar or plain lines for who watches."""

import csv
import io
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from prmkit.run.activity import Activity, busy
from prmkit.run.files import write_text

COLUMNS = (
    "step", "epoch", "train_loss", "loss", "auroc", "brier", "ece", "f1", "lr", "tokens", "flops", "seconds"
)  # fmt: skip


class History(pl.Callback):
    """Keeps one record a validation, writes them to a CSV file, and shows them.

    Standard output stays free for results: everything goes to standard error. ``lr`` is that of the next step.

    Args:
        file: the CSV file.
        show: a bar on a terminal, plain lines elsewhere; False shows nothing.
        remarks: lines that stand above the first one.
    """

    def __init__(self, file: Path, *, show: bool, remarks: Sequence[str] = ()) -> None:
        self.file = file
        self._remarks = remarks
        self.records: list[dict[str, float]] = []
        self._console = Console(stderr=True, quiet=not show)
        self._bar: Progress | None = None
        self._task = TaskID(0)
        self._under_way = ExitStack()
        self._training: Activity | None = None
        self._first = 0
        self._start, self._spent = time.monotonic(), 0.0

    @property
    def seconds(self) -> float:
        """Seconds that the training has taken, those before a stop included."""
        return self._spent + time.monotonic() - self._start

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Say that the devices get the weights, or their shards, until the training starts."""
        self._under_way.enter_context(busy("setting the training up"))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Open the bar, and drop from the file what came after the state that a training goes on from."""
        self._under_way.close()
        self._start = time.monotonic()
        if trainer.is_global_zero:
            if self.records:
                self._write(self.records)
            else:
                self.file.unlink(missing_ok=True)
            for remark in self._remarks:
                self._console.print(remark, highlight=False, soft_wrap=True)
        if trainer.is_global_zero and self._console.is_terminal and not self._console.quiet:
            columns = (TextColumn("train"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console, transient=True)
            total = int(trainer.estimated_stepping_batches)
            self._task = self._bar.add_task("train", total=total, completed=trainer.global_step)
            self._bar.start()
        elif trainer.is_global_zero:
            self._training = self._under_way.enter_context(busy("training"))
        self._first = trainer.global_step

    def on_train_batch_end(self, trainer: pl.Trainer, *args: Any, **kwargs: Any) -> None:
        """Move the bar."""
        step, total = trainer.global_step, int(trainer.estimated_stepping_batches)
        if self._bar is not None:
            self._bar.update(self._task, completed=step)
        elif self._training is not None and step > self._first:
            pace = self._training.seconds / (step - self._first)
            figures = {
                f"of {total} steps": str(step),
                "s a step": f"{pace:.3g}",
                "s to go": f"{pace * (total - step):.0f}",
            }
            self._training.share, self._training.figures = step / total, figures

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Record the held-out metrics."""
        metrics = {name: float(value) for name, value in trainer.callback_metrics.items()}
        record = {
            **metrics,
            "step": float(trainer.global_step),
            "epoch": float(trainer.current_epoch),
            "tokens": float(pl_module.tokens),
            "flops": float(pl_module.flops),
            "lr": float(trainer.optimizers[0].param_groups[0]["lr"]),
            "seconds": self.seconds,
        }
        self.records.append({name: record[name] for name in COLUMNS})
        if not trainer.is_global_zero:
            return
        self._write(self.records)
        self._console.print(
            f"step {trainer.global_step}/{trainer.estimated_stepping_batches}"
            f"  train loss {record['train_loss']:.4f}  held-out loss {record['loss']:.4f}"
            f"  AUROC {record['auroc']:.3f}  Brier {record['brier']:.3f}  ECE {record['ece']:.3f}"
            f"  first-error F1 {record['f1']:.3f}  {record['seconds']:.0f} s",
            highlight=False,
            soft_wrap=True,
        )

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Close the bar."""
        self._close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Close the bar, so that the terminal is left in order."""
        self._close()

    def _close(self) -> None:
        self._under_way.close()
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def state_dict(self) -> dict[str, Any]:
        """The records so far, and the seconds."""
        return {"records": self.records, "seconds": self.seconds}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take them up again."""
        self.records, self._spent = list(state_dict["records"]), state_dict["seconds"]

    def _write(self, records: list[dict[str, float]]) -> None:
        table = io.StringIO(newline="")
        writer = csv.DictWriter(table, COLUMNS)
        writer.writeheader()
        writer.writerows(records)
        write_text(self.file, table.getvalue())
