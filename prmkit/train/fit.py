"""The training of a PRM: trees go in, a checkpoint and its metrics come out."""

import logging
import os
import shutil
import signal
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint
from lightning.pytorch.strategies import ModelParallelStrategy, Strategy
from transformers import PreTrainedTokenizerBase

from prmkit.errors import InputError
from prmkit.models.backbone import load_tokenizer
from prmkit.models.checkpoint import CheckpointMeta, refuse_existing, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.encode import StepEncoder
from prmkit.models.prm import PRM
from prmkit.train.config import TrainConfig
from prmkit.train.datamodule import StepDataModule
from prmkit.train.module import PRMModule
from prmkit.train.progress import History
from prmkit.tree import StepTree


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """What a training gave.

    ``metrics``: loss, auroc and brier of the kept weights on the held-out problems; steps (of the optimiser),
    tokens and seconds of the training; rows, labels, cut, dropped and labels_lost of the trees.
    ``history``: one record for each validation. ``checkpoint``: the folder of the kept weights.
    """

    metrics: dict[str, float]
    history: tuple[dict[str, float], ...]
    checkpoint: Path


def train_prm(
    trees: Iterable[StepTree],
    model: ModelConfig,
    config: TrainConfig,
    out: Path,
    *,
    seed: int,
    label_source: str,
    progress: bool,
) -> TrainResult:
    """Train a PRM on labelled trees and write the weights with the best held-out loss to ``out/checkpoint``.

    Beside it, ``out/history.csv`` holds the metrics of every validation. With several devices every rank must call this
    with the same arguments.

    Args:
        trees: labelled trees, read once.
        model: backbone, head and text format.
        config: the optimisation.
        out: folder of the run; it is made.
        seed: of the head, the split, the order and the dropout.
        label_source: where the labels came from; stored, since it decides the default aggregation.
        progress: whether to show a bar (on a terminal) or plain lines.

    Raises:
        InputError: the backbone, the labels or the devices do not allow a training (see PRM.from_backbone and
            StepDataModule), or ``out/checkpoint`` exists.
        RunError: a loss is not finite.
    """
    refuse_existing(out / "checkpoint")
    tokenizer = load_tokenizer(model.name)
    encoder = StepEncoder(tokenizer, model.format)
    data = StepDataModule(trees, encoder, max_length=model.max_length, config=config, seed=seed)
    pl.seed_everything(seed, verbose=False)
    prm = PRM.from_backbone(model.name, model)
    out.mkdir(parents=True, exist_ok=True)
    history = History(out / "history.csv", show=progress)
    module = PRMModule(prm, config)
    best = ModelCheckpoint(
        dirpath=out / ".best", filename="best", monitor="loss", save_weights_only=True, enable_version_counter=False
    )
    with _quiet():
        trainer = _trainer(config, [history, EarlyStopping(monitor="loss", patience=config.patience), best])
        _fit(trainer, module, data)
    meta = CheckpointMeta(format=model.format, label_source=label_source, max_length=model.max_length)
    _keep_best(trainer, prm, tokenizer, Path(best.best_model_path), out / "checkpoint", meta)
    kept = min(history.records, key=lambda record: record["loss"])
    counts = data.counts
    metrics = {name: kept[name] for name in ("loss", "auroc", "brier")} | {
        "steps": float(trainer.global_step),
        "tokens": float(module.tokens),
        "seconds": history.seconds,
        "rows": float(counts.rows),
        "labels": float(counts.labels),
        "cut": float(counts.cut),
        "dropped": float(counts.dropped),
        "labels_lost": float(counts.labels_lost),
    }
    return TrainResult(metrics=metrics, history=tuple(history.records), checkpoint=out / "checkpoint")


def _trainer(config: TrainConfig, callbacks: list[pl.Callback]) -> pl.Trainer:
    _refuse_missing_devices(config)
    try:
        return pl.Trainer(
            accelerator="auto",
            devices=config.devices,
            num_nodes=config.num_nodes,
            strategy=_strategy(config),
            precision=config.precision,
            max_epochs=config.epochs,
            accumulate_grad_batches=config.accumulate,
            val_check_interval=1.0 / config.validations_per_epoch,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            callbacks=callbacks,
            logger=False,
            enable_progress_bar=False,
            enable_model_summary=False,
        )
    except (MisconfigurationException, ValueError, RuntimeError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(
            f"this machine cannot train so ({reason})",
            where="train",
            got=f"devices={config.devices}, strategy={config.strategy}, precision={config.precision}",
        ) from None


def _refuse_missing_devices(config: TrainConfig) -> None:
    """Lightning would start any number of processes on a CPU, and a typing error would fill the machine."""
    on_gpu = torch.cuda.is_available()
    there = torch.cuda.device_count() if on_gpu else os.cpu_count() or 1
    if config.devices != "auto" and config.devices > there:
        raise InputError(
            "this machine has fewer devices",
            where="train.devices",
            got=config.devices,
            expected=f"at most {there} ({'GPUs' if on_gpu else 'CPU cores'})",
        )


def _strategy(config: TrainConfig) -> str | Strategy:
    if config.strategy != "fsdp2":
        return config.strategy
    devices = max(1, torch.cuda.device_count()) if config.devices == "auto" else config.devices
    return ModelParallelStrategy(
        data_parallel_size=devices * config.num_nodes, tensor_parallel_size=1, save_distributed_checkpoint=False
    )


def _fit(trainer: pl.Trainer, module: PRMModule, data: StepDataModule) -> None:
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, datamodule=data)
    except SystemExit:
        if not trainer.interrupted:
            raise
        # Lightning turns Ctrl+C into exit code 1 and goes deaf to it; our caller shall see what happened.
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None


def _keep_best(
    trainer: pl.Trainer,
    prm: PRM,
    tokenizer: PreTrainedTokenizerBase,
    best: Path,
    folder: Path,
    meta: CheckpointMeta,
) -> None:
    """Turn Lightning's file of the best weights into a checkpoint folder, on one rank; the others wait."""
    if trainer.is_global_zero:
        stored: dict[str, Any] = torch.load(best, map_location="cpu", mmap=True, weights_only=True)["state_dict"]
        weights = {key.removeprefix("prm."): value for key, value in stored.items()}
        save_prm(prm, tokenizer, folder, meta, weights=weights)
        shutil.rmtree(best.parent)
    trainer.strategy.barrier()


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back Lightning's tips and its remarks on what is meant so here."""
    logger = logging.getLogger("lightning.pytorch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\..*")
            yield
    finally:
        logger.setLevel(level)
