"""Annotation is killed, again and again, and comes out as if nothing had happened."""

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import orjson
import pytest

from prmkit.world import WEIGHTS
from tests.commands.conftest import ROOT

RECIPE = f"""\
stage: annotate
seed: 5
problems: [{{benchmark: synthetic-math, limit: 16, seed: 11, options: {{split: train}}}}]
generator: {{name: {WEIGHTS / "policy"}, sampling: {{max_tokens: 80}}, max_rows: 16}}
solutions: 2
annotators:
  - {{name: all, options: {{rollouts: 2, kind: hard}}}}
  - {{name: search, estimator: binary-search, options: {{rollouts: 2}}}}
consensus: {{}}
"""
KILLS = 10


def start(recipe: Path, out: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, ROOT / "cli.py", "annotate", recipe, "--out", out, "--resume", "--json"]
    return subprocess.Popen([str(word) for word in command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: "subprocess.Popen[bytes]") -> None:
    _, error = process.communicate()
    assert process.returncode == 0, error.decode()


def size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_ten_kills_change_no_byte_and_no_reply_is_paid_for_twice(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finish(start(recipe, whole))
    total = size(whole / "journal.jsonl")
    assert total > 10_000
    rng = random.Random(7)
    for moment in sorted(rng.randrange(total) for _ in range(KILLS)):
        process = start(recipe, killed)
        while size(killed / "journal.jsonl") < moment and process.poll() is None:
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finish(start(recipe, killed))
    assert (killed / "trees.jsonl").read_bytes() == (whole / "trees.jsonl").read_bytes()
    lines = [line for line in (killed / "journal.jsonl").read_bytes().splitlines() if line]
    keys = Counter(record.get("key", record.get("k")) for record in map(orjson.loads, lines))
    assert max(keys.values()) == 1
    assert None not in keys
    assert len(keys) == len((whole / "journal.jsonl").read_bytes().splitlines())
