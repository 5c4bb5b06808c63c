"""Runs that die and go on, with the engines that users have."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from prmkit.world import WEIGHTS
from tests.commands.conftest import ROOT

KILLS = 20


@pytest.mark.slow
@pytest.mark.parametrize("strategy", ["beam", "mcts"])
def test_a_killed_search_ends_in_the_same_bytes_and_asks_nothing_again(strategy: str, tmp_path: Path) -> None:
    called = subprocess.run(
        [sys.executable, "-m", "tests.search.killed", strategy, str(KILLS), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
    )
    assert called.returncode == 0, called.stderr
    found = json.loads(called.stdout.splitlines()[-1])
    assert (found["equal"], found["all replayed"], found["asked again"]) == (found["runs"], found["runs"], 0), found
    assert found["runs"] == KILLS / 5


@pytest.mark.slow
def test_ctrl_c_exits_with_130_and_the_line_to_resume(tmp_path: Path) -> None:
    (tmp_path / "recipe.yaml").write_text(
        "stage: search\nproblems: {benchmark: synthetic-math, limit: 200}\n"
        f"generator: {{name: {WEIGHTS / 'policy'}, sampling: {{max_tokens: 100}}, max_rows: 64}}\n"
        "strategy: {name: majority, options: {n: 32}}\n"
    )
    command = [
        sys.executable,
        str(ROOT / "cli.py"),
        "search",
        str(tmp_path / "recipe.yaml"),
        "--out",
        str(tmp_path / "run"),
    ]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    journal = tmp_path / "run" / "journal.jsonl"
    while running.poll() is None and not (journal.exists() and journal.stat().st_size):
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=120)
    assert (running.returncode, out) == (130, ""), err
    resume = f"interrupted; go on with: prmkit search {tmp_path}/recipe.yaml --out {tmp_path}/run --resume"
    assert err.splitlines()[-1] == resume
    assert "Traceback" not in err
    assert journal.read_bytes().endswith(b"\n")
