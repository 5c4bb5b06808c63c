"""Preparing training data at the size of Math-Shepherd: time and memory beside TRL's tokenisation of the same rows.

    python bench/data.py [--quick] [--rows 445000] [--peer-python .venv-trl/bin/python] [--verbs]

The rows are Math-Shepherd's (../shared/data/math_shepherd, or rows of their shape made here) with other numbers, 23
solutions a question. The recipe is recipes/math-shepherd/0.5b.yaml with SmolLM2's tokenizer (make .venv/.smollm2; else
the tests' bytes), a tiny model of that vocabulary, and TRL's layout of tokens. Every figure is of processes of their
own, on two cores.

prepare_speedup_vs_trl      `prmkit data prepare`, from raw rows to memory-mapped ones, against the call of `map` in
                            TRL's PRMTrainer with two processes, from rows of its form to Arrow files; by the clock.
                            With --quick, much of ours is the start of three processes
prepare_cpu_speedup_vs_trl  the same in CPU seconds, which what else a shared machine does hardly changes; of whole
                            commands, so ours has its imports in it and TRL's the reading of its rows too
prepare_rows_per_s          rows prepared a second
peak_mb                     the largest process of preparing, and of a training up to its first step; mapped files are
                            in it, which processes share and the system takes back: the tables say what is own
second_start_s              `prmkit train` on prepared data: from when torch and Lightning are imported to the end of
                            the first optimiser step (32 sequences of 2,048 tokens); second_start_cpu_s in CPU seconds
rank_mb                     what its data adds to a rank's private memory, while two ranks have walked 200 batches each

The ids and labels of 1,000 rows must be TRL's, and the tokens as many. With --verbs, what the other verbs of
`prmkit data` take on the same rows. Who shares the machine is in the seconds: the load at the start is printed.

The peer runs in an environment of its own, named by --peer-python or PRMKIT_TRL_PYTHON:

    python -m venv .venv-trl && .venv-trl/bin/pip install -c constraints.txt -r bench/peers/trl.txt
"""

import argparse
import io
import itertools
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import PIPE
from typing import Any

import transformers
from data_parts.process import Cost, measured
from data_parts.recipe import data_of, write_model, write_recipe
from data_parts.shepherd import REAL, write_corpus
from real_model import DATA

from prmkit.packing.table import TokenRow

HERE = Path(__file__).parent
PARTS = HERE / "data_parts"
PEER = HERE / "peers" / "trl_tokenize.py"
PEER_NAME = "trl 1.13.0 PRMTrainer, two processes"
SMOLLM2 = HERE.parent / ".venv" / "smollm2"

PRMKIT = (sys.executable, "-m", "prmkit.commands")
CORES = 2
STARTS, RANKS, BATCHES = 3, 2, 200
COMPARED = 1000


@dataclass(frozen=True, slots=True)
class Bench:
    """The folder of one run of this file, and what stands in it."""

    folder: Path
    corpus: Path
    model: Path
    recipe: Path
    trl_rows: Path

    def environment(self, cache: str) -> dict[str, str]:
        """Of a command of ours: with a cache of this run, and no way to the hub."""
        caches = {"PRMKIT_CACHE": str(self.folder / cache), "HF_DATASETS_CACHE": str(self.folder / "datasets")}
        return {**os.environ, **caches, "HF_HUB_OFFLINE": "1"}

    def peer_environment(self) -> dict[str, str]:
        ours = self.environment("unused")
        return {name: value for name, value in ours.items() if name != "PYTHONPATH"} | {"TRL_EXPERIMENTAL_SILENCE": "1"}


def main() -> None:
    given = arguments()
    transformers.logging.disable_progress_bar()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)  # minutes lie between two lines of a log
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    rows = given.rows or (20_000 if given.quick else 445_000)
    peer = given.peer_python if given.peer_python and Path(given.peer_python).exists() else None
    if peer is None:
        print("TRL is not here (--peer-python): see the head of this file", file=sys.stderr)
    print(f"{rows:,} rows; load at the start: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {CORES} are used")
    with tempfile.TemporaryDirectory(dir=given.temp) as name:
        bench = set_up(Path(name), rows, given.data, given.tokenizer)
        figures = preparing(bench, rows, peer, given.repeat or (3 if given.quick else 1))
        if peer:
            same_rows(bench, peer)
        figures |= starting(bench, figures["peak_mb"])
        figures |= ranks(bench)
        if given.verbs:
            figures |= verbs(bench)
    print(json.dumps(figures))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="20,000 rows")
    parser.add_argument("--rows", type=int, help="of the corpus; default: 445,000, as Math-Shepherd has")
    parser.add_argument("--repeat", type=int, help="runs of each side; default: 1, and 3 with --quick")
    parser.add_argument("--verbs", action="store_true", help="measure the other verbs of prmkit data too")
    parser.add_argument(
        "--peer-python", default=os.environ.get("PRMKIT_TRL_PYTHON"), help="Python of TRL's environment"
    )
    parser.add_argument("--data", type=Path, default=REAL, help="rows of Math-Shepherd")
    parser.add_argument("--tokenizer", type=Path, default=SMOLLM2, help="a folder with a tokenizer")
    parser.add_argument("--temp", type=Path, help="folder for files of this run: 4 GB for 445,000 rows")
    return parser.parse_args()


def set_up(folder: Path, rows: int, data: Path, tokenizer: Path) -> Bench:
    """The corpus, the model, the recipe, and the rows in TRL's form."""
    bench = Bench(folder, *(folder / name for name in ("rows.jsonl", "model", "recipe.yaml", "trl.jsonl")))
    questions = write_corpus(bench.corpus, rows, data)
    size = bench.corpus.stat().st_size / 1e6
    print(f"corpus: {size:.0f} MB, {questions:,} questions, made from {data if data.is_file() else 'made rows'}")
    write_model(bench.model, tokenizer)
    write_recipe(bench.recipe, bench.corpus, bench.model)
    convert(bench, bench.corpus, bench.trl_rows)
    return bench


def convert(bench: Bench, corpus: Path, out: Path) -> None:
    command = (*PRMKIT, "data", "convert", corpus, "--source", "math-shepherd", "--to", "trl", "--out", out, "--json")
    measured(command, bench.environment("unused"))


# Preparing, beside TRL


def preparing(bench: Bench, rows: int, peer: str | None, runs: int) -> dict[str, Any]:
    """Both sides in turns; the last of ours stays for what follows."""
    ours, theirs = [], []
    for run in range(runs):
        cache = "cache" if run == runs - 1 else f"cache-{run}"
        ours.append(prepared(bench, bench.recipe, cache))
        if peer:
            theirs.append(tokenised_by_trl(bench, bench.trl_rows, peer))
    head = f"preparing, medians of {runs}"
    print(f"\n{head:30s} {'seconds':>9s} {'command':>9s} {'CPU s':>7s} {'rows/s':>8s} {'peak MB':>9s} {'own MB':>8s}")
    table("prmkit data prepare", rows, ours)
    table("trl, Dataset.map", rows, theirs)
    seconds = statistics.median(record["seconds"] for _, record in ours)
    peak = max(cost.peak_mb for cost, _ in ours)
    figures = {
        "prepare_rows_per_s": figure(rows / seconds, "rows/s", None, runs),
        "peak_mb": figure(peak, "MB", None, runs),
    }
    if theirs:
        assert ours[0][1]["tokens"] == theirs[0][1]["tokens"], (ours[0][1], theirs[0][1])
        pairs = list(zip(theirs, ours, strict=True))
        clock = statistics.median(theirs[1]["seconds"] / ours[1]["seconds"] for theirs, ours in pairs)
        cpu = statistics.median(theirs[0].cpu / ours[0].cpu for theirs, ours in pairs)
        figures["prepare_speedup_vs_trl"] = figure(clock, "x", PEER_NAME, runs)
        figures["prepare_cpu_speedup_vs_trl"] = figure(cpu, "x", PEER_NAME, runs)
        trl_rate = rows / statistics.median(record["seconds"] for _, record in theirs)
        figures["prepare_rows_per_s"]["peer"] = {PEER_NAME: round(trl_rate, 1)}
        figures["peak_mb"]["peer"] = {PEER_NAME: round(max(cost.peak_mb for cost, _ in theirs))}
    return figures


def prepared(bench: Bench, recipe: Path, cache: str) -> tuple[Cost, dict[str, Any]]:
    """The cost of preparing what is not there yet, and what the command says about it."""
    cost = measured((*PRMKIT, "data", "prepare", recipe, "--json"), bench.environment(cache))
    record: dict[str, Any] = json.loads(cost.printed)
    assert record["prepared"] == "made", record
    assert record["seconds"] <= cost.seconds, (record, cost)
    return cost, record


def tokenised_by_trl(bench: Bench, rows: Path, peer: str) -> tuple[Cost, dict[str, Any]]:
    out = bench.folder / "trl.json"
    cost = measured((peer, PEER, bench.model, rows, str(CORES), str(COMPARED), out), bench.peer_environment())
    shutil.rmtree(bench.folder / "datasets")
    record: dict[str, Any] = json.loads(out.read_text())
    return cost, record


def table(name: str, rows: int, runs: Sequence[tuple[Cost, Mapping[str, Any]]]) -> None:
    if runs:
        seconds, command, cpu = (
            statistics.median(values)
            for values in zip(*((record["seconds"], cost.seconds, cost.cpu) for cost, record in runs), strict=True)
        )
        peak, own = (max(getattr(cost, memory) for cost, _ in runs) for memory in ("peak_mb", "own_mb"))
        print(f"  {name:28s} {seconds:9.1f} {command:9.1f} {cpu:7.1f} {rows / seconds:8.0f} {peak:9.0f} {own:8.0f}")


def same_rows(bench: Bench, peer: str) -> None:
    """Raises AssertionError unless the first rows, each alone, have TRL's ids, and its labels at the same tokens."""
    corpus, rows = bench.folder / "first.jsonl", bench.folder / "first.trl.jsonl"
    with bench.corpus.open("rb") as whole:
        corpus.write_bytes(b"".join(itertools.islice(whole, COMPARED)))
    convert(bench, corpus, rows)
    _, theirs = tokenised_by_trl(bench, rows, peer)
    recipe = write_recipe(bench.folder / "first.yaml", corpus, bench.model, packing="none")
    os.environ |= bench.environment("cache-first")
    data = data_of(recipe)
    # Ours are split by problem, so the order is another one.
    ours = sorted(in_trl_form(row) for part in (data.train_rows, data.validation_rows) for row in part)
    assert ours == sorted(zip(theirs["ids"], theirs["labels"], strict=True))
    print(f"\nids and labels of {len(ours):,} rows: the same as TRL's")


def in_trl_form(row: TokenRow) -> tuple[list[int], list[int]]:
    """Ids, and a label for each: -100 where there is none."""
    labels = [-100] * len(row.ids)
    for end, label in zip(row.ends, row.labels, strict=True):
        labels[end] = int(label)
    return row.ids.tolist(), labels


# Training on what is prepared


def starting(bench: Bench, peak: dict[str, Any]) -> dict[str, Any]:
    """Starts of a training whose data is there."""
    seconds, cpu, importing, peaks = [], [], [], []
    own = 0.0
    for start in range(STARTS):
        out = bench.folder / f"run-{start}"
        command = (sys.executable, PARTS / "first_step.py", "train", bench.recipe, "--out", out)
        cost = measured(command, bench.environment("cache"))
        found = json.loads(cost.last_line)
        seconds.append(found["seconds"])
        cpu.append(found["cpu"])
        importing.append(found["importing"])
        peaks.append(cost.peak_mb)
        own = max(own, cost.own_mb)
    second, spent, before = (statistics.median(values) for values in (seconds, cpu, importing))
    print(
        f"\nsecond start: {second:.1f} s ({spent:.1f} CPU s) to the first step, behind {before:.1f} s of importing "
        f"torch and Lightning; medians of {STARTS}; peak {max(peaks):.0f} MB, {own:.0f} its own"
    )
    return {
        "second_start_s": figure(second, "s", None, STARTS),
        "second_start_cpu_s": figure(spent, "s", None, STARTS),
        "peak_mb": {**peak, "value": round(max(peak["value"], *peaks), 1)},
    }


def ranks(bench: Bench) -> dict[str, Any]:
    """What data adds to the private memory of ranks that are there at once."""
    command = (sys.executable, PARTS / "rank.py", bench.recipe, str(BATCHES), bench.model)
    environment = bench.environment("cache")
    running = [subprocess.Popen(command, env=environment, stdin=PIPE, stdout=PIPE, text=True) for _ in range(RANKS)]
    for _ in range(4):  # imported, measured, walked, measured
        for rank in running:
            assert rank.stdout is not None
            if not rank.stdout.readline():
                sys.exit("a rank has failed")
        for rank in running:
            assert rank.stdin is not None
            rank.stdin.write("\n")
            rank.stdin.flush()
    added = [float(rank.communicate()[0]) for rank in running]
    print(f"each of {RANKS} ranks: {' and '.join(f'{each:.0f}' for each in added)} MB of its own for data")
    return {"rank_mb": figure(max(added), "MB", None, RANKS)}


# The other verbs


def verbs(bench: Bench) -> dict[str, Any]:
    """Each verb once, on the same rows."""
    out = bench.folder / "verbs"
    out.mkdir()
    math500 = DATA / "math500" / "test500.jsonl"
    against = f"math500={math500}" if math500.is_file() else "synthetic-math"
    read = (bench.corpus, "--source", "math-shepherd")
    commands: dict[str, tuple[str | Path, ...]] = {
        "stats": ("stats", *read),
        "convert": ("convert", *read, "--out", out / "trees.jsonl"),
        "merge": ("merge", f"math-shepherd={bench.corpus}", "--out", out / "merged.jsonl"),
        "sample": ("sample", *read, "--size", "400000", "--out", out / "sample.jsonl"),
        "deduplicate": ("deduplicate", *read, "--out", out / "distinct.jsonl"),
        "decontaminate": ("decontaminate", *read, "--against", against, "--out", out / "clean.jsonl"),
    }
    print(f"\n{'prmkit data ...':27s} {'command':>9s} {'CPU s':>7s} {'peak MB':>9s} {'own MB':>8s}")
    figures = {}
    for verb, command in commands.items():
        cost = measured((*PRMKIT, "data", *command, "--json"), bench.environment("cache"))
        print(f"  {verb:25s} {cost.seconds:9.1f} {cost.cpu:7.1f} {cost.peak_mb:9.0f} {cost.own_mb:8.0f}")
        figures[f"{verb}_s"] = figure(cost.seconds, "s", None, 1)
        figures[f"{verb}_peak_mb"] = figure(cost.peak_mb, "MB", None, 1)
    return figures


def figure(value: float, unit: str, peer: object, n: int) -> dict[str, Any]:
    return {"value": round(value, 3 if unit == "x" else 1), "unit": unit, "peer": peer, "n": n}


if __name__ == "__main__":
    main()
