"""Speed of training against TRL's PRMTrainer and against our own padded rows, on a CPU in fp32.

    python bench/training.py [--quick] [--peer-python .venv-trl/bin/python] [--data FILE]

Two corpora: `branching` are PRM800K's trees (the raw rows at hand, or trees of their shape made here), of which TRL
reads every root-to-leaf path; `linear` are Math-Shepherd's rows of mixed length, made here. Both trainers see the same
token ids (TRL's layout), the same backbone and the same rows, in about as many batches, of 8 rows. Ours packs them, and
weighs labels by `rows`, which is TRL's objective: `*_loss_difference` compares the losses over all rows before the
first step. Each trainer has one thread, and its CPU seconds are measured: what else a shared machine does is not its
speed.

The peer runs in an environment of its own, named by --peer-python or PRMKIT_TRL_PYTHON:

    python -m venv .venv-trl && .venv-trl/bin/pip install -c constraints.txt -r bench/peers/trl.txt
"""

import argparse
import itertools
import json
import logging
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
import transformers
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import AutoModelForTokenClassification, PreTrainedTokenizerFast, Qwen2Config

from prmkit.models.checkpoint import CheckpointMeta, load_prm
from prmkit.models.foreign.imports import import_prm
from prmkit.packing.batch import collate
from prmkit.packing.format import StepFormat
from prmkit.packing.rows import RowShape, encode_trees
from prmkit.sources.corpus import Corpus
from prmkit.train.config import TrainConfig
from prmkit.train.datamodule import StepDataModule
from prmkit.train.encoding import shape_of
from prmkit.train.losses import step_losses
from prmkit.train.module import PRMModule
from prmkit.train.split import split
from prmkit.tree import ROOT, Label, Problem, StepTree

REAL = Path(__file__).parents[2] / "shared" / "data" / "prm800k_raw" / "openr_samples_prm800k.jsonl"
PEER = Path(__file__).parent / "peers" / "trl_prm.py"
FORMAT = StepFormat(template="bare", step_end="\n")
BATCH = 8
LENGTH = 4096


def main() -> None:
    torch.set_num_threads(1)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a smaller backbone and fewer rows")
    parser.add_argument(
        "--peer-python", default=os.environ.get("PRMKIT_TRL_PYTHON"), help="Python of TRL's environment"
    )
    parser.add_argument("--data", type=Path, default=REAL, help="raw PRM800K rows")
    given = parser.parse_args()
    epochs, width, layers = (3, 128, 2) if given.quick else (4, 256, 4)
    figures: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, trees in (("branching", branching(given.data)), ("linear", linear(32 if given.quick else 64))):
            work = Path(folder) / name
            work.mkdir()
            make_models(work, trees, width, layers)
            figures |= compared(name, work, trees, epochs, given.peer_python)
    print(json.dumps(figures))


def compared(name: str, work: Path, trees: Sequence[StepTree], epochs: int, peer: str | None) -> dict[str, Any]:
    rows = rows_of(trees)
    labels = sum(len(row["labels"]) for row in rows)
    encoder = load_prm(work / "ours").encoder
    longest = int(encode_trees(trees, encoder, RowShape(max_length=LENGTH, budget=LENGTH)).rows.lengths.max())
    ours = {packing: trained(work, trees, packing, epochs, longest) for packing in ("tree", "none")}
    theirs = trained_by_trl(work, rows, epochs, BATCH, peer)
    runs = {"prmkit, packed": ours["tree"], "prmkit, padded": ours["none"]} | ({"trl": theirs} if theirs else {})
    print(f"\n{name}: {len(rows)} rows, {labels} labels, {len(trees)} trees; medians of {epochs - 1} epochs")
    for trainer, run in runs.items():
        seconds = statistics.median(run["seconds"][1:])
        print(
            f"  {trainer:15s} {seconds:7.2f} s an epoch  {len(rows) / seconds:7.1f} rows/s  {labels / seconds:8.1f} "
            f"labelled steps/s  mean loss by epoch {curve(run['losses'], epochs)}"
        )
    best, padded = (statistics.median(run["seconds"][1:]) for run in (ours["tree"], ours["none"]))
    found = {f"{name}_speedup_vs_padded": figure(padded / best, "prmkit, packing: none", epochs - 1)}
    if theirs:
        ratio = statistics.median(theirs["seconds"][1:]) / best
        found[f"{name}_speedup_vs_trl"] = figure(ratio, "trl 1.13.0 PRMTrainer", epochs - 1)
        first = trained_by_trl(work, rows, 1, len(rows), peer)
        assert first is not None
        difference = abs(first["losses"][0] - first_loss(work, trees))
        found[f"{name}_loss_difference"] = figure(difference, "trl 1.13.0 PRMTrainer", 1, unit="nats")
    return found


def figure(value: float, peer: str, n: int, *, unit: str = "x") -> dict[str, Any]:
    return {"value": round(value, 5), "unit": unit, "peer": peer, "n": n}


def curve(losses: list[float], epochs: int) -> str:
    size = len(losses) // epochs
    return " ".join(f"{statistics.mean(losses[n * size : (n + 1) * size]):.3f}" for n in range(epochs))


def data_of(work: Path, trees: Sequence[StepTree], config: TrainConfig) -> StepDataModule:
    """The rows of the trees. Something must be held out: one more tree, made so that the choice falls on it."""
    prompts = [tree.problem.prompt for tree in trees]
    names = (f"word{number}" for number in itertools.count())
    name = next(name for name in names if is_held_out([*prompts, name], config.validation_share))
    bystander = StepTree.from_steps(Problem(id=name, prompt=name), ["word1"], [Label(value=1.0, source="made")])
    encoder = load_prm(work / "ours").encoder
    encoded = encode_trees([*trees, bystander], encoder, shape_of(config, LENGTH))
    return StepDataModule(encoded, encoder, max_length=LENGTH, config=config, seed=0)


def is_held_out(prompts: list[str], share: float) -> bool:
    """Whether the last problem alone is held out."""
    last = len(prompts) - 1
    return split(np.arange(len(prompts)), prompts, share, 0)[1].tolist() == [last]


def config_of(**fields: Any) -> TrainConfig:
    return TrainConfig(weighting="rows", lr=1e-3, schedule="constant", warmup=0, validation_share=1e-6, **fields)


def first_loss(work: Path, trees: Sequence[StepTree]) -> float:
    """Our mean loss over all packed rows, before any step."""
    prm = load_prm(work / "ours", dtype=torch.float32).prm
    config = config_of(packing="tree", pack_tokens=512)
    batch = collate(data_of(work, trees, config).train_rows)
    with torch.no_grad():
        losses = step_losses(prm(batch.ids_BT, batch.mask_BT, batch.ends_BS, batch.packing), batch, config)
    return float((losses * batch.weights_BS).sum() / batch.total_weight)


def trained(work: Path, trees: Sequence[StepTree], packing: str, epochs: int, longest: int) -> dict[str, list[float]]:
    """CPU seconds of each epoch, and the loss of each optimiser step."""
    # As many batches as 8 rows each would make, so that both take about as many optimiser steps.
    sequences = len(data_of(work, trees, config_of(packing="tree", pack_tokens=longest)).train_rows)
    batch_size = max(1, round(sequences * BATCH / len(rows_of(trees))))
    config = config_of(
        epochs=epochs,
        packing=packing,
        # A mask on a CPU costs the square of the length, so sequences are as short as the largest tree allows.
        pack_tokens=longest,
        batch_size=BATCH if packing == "none" else batch_size,
    )
    clock = Clock()
    module = PRMModule(load_prm(work / "ours", dtype=torch.float32).prm, config)
    trainer = pl.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=epochs,
        limit_val_batches=0,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        callbacks=[clock],
    )
    trainer.fit(module, datamodule=data_of(work, trees, config))
    return {"seconds": clock.seconds, "losses": clock.losses}


class Clock(pl.Callback):
    """The seconds of each epoch, and the loss of each optimiser step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        self.losses: list[float] = []
        self._start = 0.0

    def on_train_epoch_start(self, *args: Any) -> None:
        self._start = time.process_time()

    def on_train_batch_end(self, trainer: Any, module: Any, outputs: Any, *args: Any) -> None:
        self.losses.append(float(outputs["loss"]))

    def on_train_epoch_end(self, *args: Any) -> None:
        self.seconds.append(time.process_time() - self._start)


def trained_by_trl(
    work: Path, rows: list[dict[str, Any]], epochs: int, batch: int, peer: str | None
) -> dict[str, Any] | None:
    if peer is None or not Path(peer).exists():
        print(f"TRL is not here ({peer or 'no --peer-python'}): see the head of this file", file=sys.stderr)
        return None
    (work / "rows.json").write_text(json.dumps(rows))
    arguments = [str(work / "trl"), str(work / "rows.json"), str(epochs), str(batch), str(work / "trl.json")]
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run([peer, str(PEER), *arguments], env=environment, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"TRL failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads((work / "trl.json").read_text())
    return found


def rows_of(trees: Sequence[StepTree]) -> list[dict[str, Any]]:
    """A row for each root-to-leaf path, as TRL reads them."""
    rows = []
    for tree in trees:
        for leaf in tree.leaves():
            path = [tree.nodes[node] for node in tree.path(leaf)]
            labels = [node.label is not None and node.label.value >= 0.5 for node in path]
            rows.append({"prompt": tree.problem.prompt, "completions": [n.text for n in path], "labels": labels})
    return rows


def branching(file: Path) -> list[StepTree]:
    """PRM800K's trees, fully labelled; or trees of their shape."""
    if file.is_file():
        return [hard(tree) for tree in Corpus("prm800k", str(file)) if all(node.label for node in tree)]
    draw = random.Random(0)
    made = []
    for number in range(6):
        tree = StepTree(Problem(id=str(number), prompt=words(draw, 50)))
        parent = ROOT
        for _ in range(8):
            children = [tree.add(parent, words(draw, 18), label=label(draw)) for _ in range(draw.randint(1, 3))]
            parent = children[0]
        made.append(tree)
    return made


def linear(count: int) -> list[StepTree]:
    """Paths of mixed length, one a problem."""
    draw = random.Random(1)
    made = []
    for number in range(count):
        steps = [words(draw, draw.randint(5, 30)) for _ in range(draw.choice([2, 3, 4, 5, 6, 8, 12]))]
        problem = Problem(id=str(number), prompt=f"{number} " + words(draw, draw.randint(20, 60)))
        made.append(StepTree.from_steps(problem, steps, [label(draw) for _ in steps]))
    return made


def hard(tree: StepTree) -> StepTree:
    """Labels as TRL knows them, right or wrong."""
    for index, node in enumerate(tree):
        assert node.label is not None
        tree.set_label(index, Label(value=float(node.label.value >= 0.5), source=node.label.source))
    return tree


def label(draw: random.Random) -> Label:
    return Label(value=float(draw.random() < 0.7), source="made")


def words(draw: random.Random, count: int) -> str:
    return " ".join(f"word{draw.randrange(500)}" for _ in range(count))


def make_models(work: Path, trees: Sequence[StepTree], width: int, layers: int) -> None:
    """A random token classifier as TRL trains it, and the same as a checkpoint of ours."""
    vocabulary = {"<pad>": 0, "<eos>": 1, "<unk>": 2, "\n": 3}
    for tree in trees:
        for text in (tree.problem.prompt, *(node.text for node in tree)):
            for word in text.split():
                vocabulary.setdefault(word, len(vocabulary))
    raw = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Split(" ", "removed")]
    )
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=raw, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")
    config = Qwen2Config(
        vocab_size=len(vocabulary),
        hidden_size=width,
        intermediate_size=4 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=LENGTH,
        num_labels=2,
        pad_token_id=0,
    )
    torch.manual_seed(0)
    classifier = AutoModelForTokenClassification.from_config(config)
    classifier.save_pretrained(work / "trl")
    tokenizer.save_pretrained(work / "trl")
    meta = CheckpointMeta(format=FORMAT, label_source="human", max_length=LENGTH)
    import_prm(str(work / "trl"), work / "ours", meta)


if __name__ == "__main__":
    main()
