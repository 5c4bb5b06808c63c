"""The training of a PRM: trees go in, a checkpoint and its metrics come out."""

import logging
import shutil
import signal
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.loggers import Logger

from prmkit.errors import InputError, RunError
from prmkit.models.attention import packed_attention
from prmkit.models.backbone import accelerator, load_config
from prmkit.models.checkpoint import CheckpointMeta, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.packing.rows import encode_trees
from prmkit.prepare.content import refuse_missing
from prmkit.prepare.prepared import prepared_rows
from prmkit.run.files import refuse_existing
from prmkit.sources.corpus import Corpus
from prmkit.train.adapters import adapted
from prmkit.train.config import TrainConfig
from prmkit.train.datamodule import StepDataModule
from prmkit.train.encoding import encoder_of, shape_of
from prmkit.train.flops import pretraining_flops
from prmkit.train.loggers import loggers_of
from prmkit.train.made_up import row_scores
from prmkit.train.module import PRMModule
from prmkit.train.plot import plot_history
from prmkit.train.progress import History
from prmkit.train.read_back import ReadBack
from prmkit.train.saved_state import KeepAll, KeepBest, KeepState, last_state
from prmkit.train.strategies import strategy_of
from prmkit.tree import StepTree

STATE = "state"
"""The folder of what --resume goes on from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainResult:
    """What a training gave.

    ``metrics``: the held-out metrics of the kept weights; steps (of the optimiser), tokens, flops and seconds of the
    training, and how many of these it waited for data; flops of the pre-training, where its tokens are published; rows,
    labels, cut, dropped, labels_lost and too_long of the trees. ``history``: one record for each validation.
    ``checkpoint``: the folder of the kept weights.
    """

    metrics: dict[str, float]
    history: tuple[dict[str, float], ...]
    checkpoint: Path


def training_rows(trees: Sequence[StepTree], model: ModelConfig, config: TrainConfig, *, seed: int) -> StepDataModule:
    """What a training reads: the rows of labelled trees that are at hand, split by problem.

    Args:
        trees: labelled trees.
        model: whose tokenizer and text format are used.
        config: the optimisation.
        seed: of the head, the split, the order and the dropout.

    Raises:
        InputError: the backbone has no tokenizer, or the labels or the devices do not allow a training (see
            StepDataModule).
    """
    strategy_of(config)  # refuses devices that this machine does not have
    _refuse_packing(model, config)
    encoder = encoder_of(model)
    encoded = encode_trees(trees, encoder, shape_of(config, model.max_length))
    return StepDataModule(encoded, encoder, max_length=model.max_length, config=config, seed=seed)


def prepared_training_rows(corpus: Corpus, model: ModelConfig, config: TrainConfig, *, seed: int) -> StepDataModule:
    """The same of a corpus of any size, whose rows are prepared once and kept in the cache (see prepare/).

    Raises:
        InputError: as ``training_rows``; the corpus is refused, or the cache cannot be written.
    """
    strategy_of(config)
    _refuse_packing(model, config)
    refuse_missing(corpus.path)
    encoder = encoder_of(model)
    prepared = prepared_rows(corpus, encoder, shape_of(config, model.max_length))
    return StepDataModule(prepared.encoded, encoder, max_length=model.max_length, config=config, seed=seed)


def train_prm(data: StepDataModule, model: ModelConfig, out: Path, *, progress: bool) -> TrainResult:
    """Train a PRM on labelled trees and write the weights with the best held-out metric to ``out/checkpoint``.

    Beside it, ``out/history.csv`` holds the metrics of every validation, and ``out/curve.png`` their picture; with
    ``snapshots``, ``out/snapshots`` the weights. A training that was cut off goes on from the state in ``out``, and
    gives what it would have given. With several devices every rank must call this with the same arguments.

    Args:
        data: as ``training_rows`` made it for this model.
        model: backbone, head and text format.
        out: folder of the run; it is made.
        progress: whether to show a bar (on a terminal) or plain lines.

    Raises:
        InputError: the backbone does not allow a training (see PRM.from_backbone), or ``out/checkpoint`` exists.
        RunError: a loss is not finite; the batch is then kept in ``out/bad_batch.pt``. Or the checkpoint cannot be read
            back, or scores otherwise: after the first step, in the end, or when it is written.
    """
    refuse_existing(out / "checkpoint")
    config, seed = data.config, data.seed
    strategy = strategy_of(config)
    pl.seed_everything(seed, verbose=False)
    prm, remarks = _build(model, config)
    before = pretraining_flops(model.name, prm.model.config)
    out.mkdir(parents=True, exist_ok=True)
    state = last_state(out / STATE)
    history = History(out / "history.csv", show=progress, remarks=remarks)
    module = PRMModule(prm, config, seed=seed)
    meta = CheckpointMeta(format=data.encoder.format, label_source=data.label_source, max_length=model.max_length)

    def write(fresh: Path) -> list[float]:
        save_prm(prm, data.encoder.tokenizer, fresh, meta)
        return row_scores(prm)

    best = KeepBest(out / ".best", monitor=config.monitor, patience=config.patience, write=write)
    read_back = ReadBack(prm, best, out / ".trial", write, rounded=config.precision != "32-true")
    callbacks = [history, best, read_back, *([KeepAll(out / "snapshots", write)] if config.snapshots else [])]
    with _quiet():
        loggers = loggers_of(config.loggers, out, resumed=state)
        callbacks.append(KeepState(out / STATE, every=config.save_every))
        trainer = _trainer(config, strategy, loggers, callbacks)
        _fit(trainer, module, data, state, out)
    read_back.finish(trainer)
    if trainer.is_global_zero:
        (out / ".best").rename(out / "checkpoint")
        shutil.rmtree(out / STATE, ignore_errors=True)
        plot_history(history.records, out / "curve.png")
    trainer.strategy.barrier()
    metrics = {name: best.best[name] for name in ("loss", "auroc", "brier", "ece", "f1")} | {
        "steps": float(trainer.global_step),
        "tokens": float(module.tokens),
        "flops": module.flops,
        "seconds": history.seconds,
        "data_seconds": data.waited,
    }
    metrics |= {name: float(count) for name, count in asdict(data.counts).items()}
    if before is not None:
        metrics["pretraining_flops"] = before
    return TrainResult(metrics=metrics, history=tuple(history.records), checkpoint=out / "checkpoint")


def _build(model: ModelConfig, config: TrainConfig) -> tuple[PRM, list[str]]:
    """The model of a training, and what is to be said of it."""
    if config.lora is not None:
        prm, targets = adapted(model.name, model, config.lora)
        said = [str(targets)]
    else:
        make = PRM.skeleton if config.strategy == "fsdp2" else PRM.from_backbone
        prm, said = make(model.name, model), []
    if config.packing != "none":
        prm.model.set_attn_implementation(packed_attention(prm.model.config, config.packing, device=accelerator()))
    return prm, said


def _refuse_packing(model: ModelConfig, config: TrainConfig) -> None:
    """Raise InputError if the backbone computes packed rows otherwise, before rows are prepared."""
    if config.packing != "none":
        packed_attention(load_config(model.name), config.packing, device=accelerator())


def _trainer(config: TrainConfig, strategy: Any, loggers: list[Logger], callbacks: list[pl.Callback]) -> pl.Trainer:
    try:
        return pl.Trainer(
            accelerator="auto",
            devices=config.devices,
            num_nodes=config.num_nodes,
            strategy=strategy,
            # FSDP2 casts what it gathers (see shard); Lightning would cast a second time.
            precision="32-true" if (config.strategy, config.precision) == ("fsdp2", "bf16-mixed") else config.precision,
            max_epochs=config.epochs,
            accumulate_grad_batches=config.accumulate,
            gradient_clip_val=config.clip_norm if config.strategy == "deepspeed" else None,
            val_check_interval=1.0 / config.validations_per_epoch,
            num_sanity_val_steps=0,
            use_distributed_sampler=False,
            callbacks=callbacks,
            logger=loggers,
            enable_checkpointing=False,
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


def _fit(trainer: pl.Trainer, module: PRMModule, data: StepDataModule, state: Path | None, out: Path) -> None:
    handler = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, datamodule=data, ckpt_path=state, weights_only=True)
    except RunError as error:
        if module.bad_batch is None:
            raise
        batch = module.bad_batch.to(torch.device("cpu"))
        plain = vars(batch) | {"packing": batch.packing and tuple(batch.packing)}  # loads with weights_only
        torch.save(plain, out / "bad_batch.pt")
        raise RunError(f"{error} The batch is in {out / 'bad_batch.pt'}.") from None
    except SystemExit:
        if not trainer.interrupted:
            raise
        # Lightning turns Ctrl+C into exit code 1 and goes deaf to it; our caller shall see what happened.
        signal.signal(signal.SIGINT, handler)
        raise KeyboardInterrupt from None


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
