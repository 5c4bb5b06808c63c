"""A search that is killed with SIGKILL at random moments, in children of a process that has the models loaded.

    python -m tests.search.killed STRATEGY KILLS FOLDER

Prints one JSON object: whether each resumed run gave the bytes of the uninterrupted one, and what it asked again. The
models are in double precision, so that the batches in which a resumed run computes differ from the first's by less than
the digits that are kept.
"""

import json
import os
import random
import signal
import sys
import time
from collections import Counter
from pathlib import Path

import torch

from prmkit.benchmarks import load
from prmkit.generate import Sampling
from prmkit.generate.format import PolicyFormat
from prmkit.generate.text import PolicyText
from prmkit.generate.transformers import TransformersGenerator
from prmkit.models.backbone import load_causal_lm
from prmkit.models.checkpoint import CheckpointMeta, load_prm, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.packing.format import StepFormat
from prmkit.run.results import read_result, write_result
from prmkit.score.transformers import TransformersScorer
from prmkit.search.options import StrategyConfig
from prmkit.search.problem_set import search
from prmkit.search.result import SearchResult
from prmkit.session import Engines
from prmkit.session.journal import Journal
from prmkit.world import WEIGHTS

CHAIN = 5
OPTIONS = {"beam": {"n": 8}, "mcts": {"n": 6, "parallel": 2}}


def one_run(strategy: str, folder: Path) -> None:
    """Search in this process, with the journal of the folder."""
    policy, tokenizer = load_causal_lm(str(WEIGHTS / "policy"), torch.float64)
    loaded = load_prm(folder.parent / "prm", device=torch.device("cpu"))
    loaded.prm.double()
    engines = Engines(
        generator=TransformersGenerator(policy, tokenizer, max_rows=64),
        text=PolicyText(tokenizer, PolicyFormat()),
        sampling=Sampling(max_tokens=100),
        scorer=TransformersScorer(loaded),
        seed=5,
        journal=Journal(folder / "journal.jsonl"),
    )
    problems = load("synthetic-math", limit=6, seed=2)
    (folder / "trees.jsonl").unlink(missing_ok=True)
    config = StrategyConfig(name=strategy, options=OPTIONS[strategy])
    write_result(folder / "metrics.json", search(problems, engines, config, folder / "trees.jsonl"))


def in_child(strategy: str, folder: Path, kill_at: int | None = None) -> None:
    """Run in a child process, and kill it once so many replies are on disk."""
    folder.mkdir(exist_ok=True)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            one_run(strategy, folder)
            status = 0
        finally:
            os._exit(status)
    if kill_at is not None:
        while replies_in(folder) < kill_at and os.waitpid(child, os.WNOHANG) == (0, 0):
            time.sleep(0.002)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert kill_at is not None or status == 0, f"the child ended with {status}"


def replies_in(folder: Path) -> int:
    file = folder / "journal.jsonl"
    return file.read_bytes().count(b"\n") if file.exists() else 0


def keys_in(folder: Path) -> list[str]:
    return [json.loads(line)["k"] for line in (folder / "journal.jsonl").read_bytes().splitlines()]


def make_prm(folder: Path) -> None:
    """A PRM with a random head."""
    torch.manual_seed(0)
    prm = PRM.from_backbone(str(WEIGHTS / "backbone"), ModelConfig(name=str(WEIGHTS / "backbone"), max_length=256))
    _, tokenizer = load_causal_lm(str(WEIGHTS / "policy"), torch.float32)
    save_prm(prm, tokenizer, folder, CheckpointMeta(format=StepFormat(), label_source="human", max_length=256))


def main(strategy: str, kills: int, root: Path) -> dict[str, object]:
    """Runs of up to ``CHAIN`` kills each, at random numbers of replies, until all kills are spent."""
    make_prm(root / "prm")
    in_child(strategy, root / "whole")
    requests = replies_in(root / "whole")
    rng = random.Random(1)
    runs = equal = replayed = repeated = 0
    while kills:
        folder, count = root / f"run-{runs}", min(CHAIN, kills)
        for at in sorted(rng.sample(range(1, requests - 1), count)):
            in_child(strategy, folder, kill_at=at)
        recorded = replies_in(folder)
        in_child(strategy, folder)
        equal += (folder / "trees.jsonl").read_bytes() == (root / "whole" / "trees.jsonl").read_bytes()
        replayed += read_result(folder / "metrics.json", SearchResult).ledger.replayed == recorded
        repeated += sum(times - 1 for times in Counter(keys_in(folder)).values())
        kills -= count
        runs += 1
    return {"runs": runs, "equal": equal, "all replayed": replayed, "asked again": repeated, "requests": requests}


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))))
