import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from prmkit.recipe.catalog import find_recipes
from prmkit.recipe.compose import compose
from prmkit.study.axes import plan_of
from prmkit.study.grid import grid_of
from prmkit.study.scale import at_scale
from tests.commands.conftest import ROOT, Answer

STUDY = """\
# Sizes of corpora: prmkit study study.yaml
stage: study
title: Sizes of corpora
axes: {corpus: [one, two, none]}
runs:
  stats: {command: [data, stats, "FOLDER/{corpus}.jsonl", --source, trl]}
result:
  rows: [{columns: {corpus: "{corpus}", trees: {of: stats, at: read}}}]
scales: {synthetic: {}}
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    row = '{"prompt": "p", "completions": ["a", "b"], "labels": [true, false]}\n'
    for number, name in enumerate(("one", "two"), start=1):
        (tmp_path / f"{name}.jsonl").write_text(row * number)
    file = tmp_path / "study.yaml"
    file.write_text(STUDY.replace("FOLDER", str(tmp_path)))
    # The commands are processes of their own.
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    return file


def test_what_fails_is_told_and_the_rest_is_kept(prmkit: Callable[..., Answer], study: Path, tmp_path: Path) -> None:
    answer = prmkit("study", study, "--out", tmp_path / "out", "--jobs", 2, "--json")
    assert answer.code == 1
    result = json.loads(answer.out)
    assert result["run"] == str(tmp_path / "out" / "study-synthetic")
    assert [(row["corpus"], row["trees"]) for row in result["rows"]] == [("one", 1), ("two", 2), ("none", None)]
    (failed,) = result["cells"]["failed"]
    assert "none.jsonl: no such file" in failed["reason"]
    assert failed["command"] == f"prmkit data stats {tmp_path}/none.jsonl --source trl"
    assert failed["command"] in answer.err
    assert not (tmp_path / "none.jsonl").exists()

    (tmp_path / "none.jsonl").write_text((tmp_path / "two.jsonl").read_text() * 2)
    again = prmkit("study", study, "--out", tmp_path / "out")
    assert again.code == 0
    assert again.err.count(": found") == 2
    assert again.err.count(": done") == 1
    assert [line.split() for line in again.out.splitlines()[1:4]] == [["one", "1"], ["two", "2"], ["none", "4"]]


def test_a_plan_a_single_run_and_the_gathering(prmkit: Callable[..., Answer], study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    planned = json.loads(prmkit("study", study, "--out", out, "--dry-run", "--json").out)
    assert planned["total"] == {"cells": 3, "to_run": 3, "seconds_left": 0, "unknown": 3}
    first, *_ = planned["cells"]
    assert (first["verb"], first["state"], first["cost"], first["seconds"]) == ("data", "to run", "reads files", None)
    assert not out.exists()
    assert prmkit("study", study, "--out", out, "--cell", first["cell"]).code == 0
    planned = json.loads(prmkit("study", study, "--out", out, "--dry-run", "--json").out)
    assert [cell["state"] for cell in planned["cells"]] == ["done", "to run", "to run"]
    assert planned["total"]["unknown"] == 0  # others of the kind were timed
    gathered = json.loads(prmkit("study", study, "--out", out, "--collect", "--json").out)
    assert [row["trees"] for row in gathered["rows"]] == [1, None, None]
    assert "is missing" not in gathered
    unknown = prmkit("study", study, "--out", out, "--cell", "nothing")
    assert (unknown.code, unknown.out) == (2, "")
    failing = prmkit("study", study, "--out", out, "--cell", planned["cells"][2]["cell"])
    assert failing.code == 1
    assert "no such file" in failing.err


def test_the_script_for_slurm_is_printed_and_nothing_is_submitted(
    prmkit: Callable[..., Answer], study: Path, tmp_path: Path
) -> None:
    answer = prmkit("study", study, "--out", tmp_path / "out", "--launcher", "slurm", "--sbatch=--partition=gpu")
    assert answer.code == 0
    assert answer.out.count("sbatch --parsable") == 3 + 1
    assert "--dependency=afterany:$job1:$job2:$job3" in answer.out
    assert not (tmp_path / "out").exists()


def test_an_interrupt_says_how_to_go_on(study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command of a cell sleeps before it begins, so that it still runs when the interrupt comes."""
    import signal

    (tmp_path / "sitecustomize.py").write_text("import sys, time\n'stats' in sys.orig_argv and time.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    process = subprocess.Popen(
        [sys.executable, "-m", "prmkit.commands", "study", str(study), "--out", str(tmp_path / "out")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = next(iter_logs(tmp_path / "out" / "cells"))
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, (err, log.read_text())
    assert f"interrupted; go on with: prmkit study {study} --out {tmp_path}/out" in err


def iter_logs(cells: Path):  # type: ignore[no-untyped-def]
    import time

    for _ in range(1200):
        yield from cells.glob("*.log")
        time.sleep(0.05)


@pytest.mark.ray
def test_the_same_on_a_ray_cluster(
    prmkit: Callable[..., Answer], study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ray = pytest.importorskip("ray", reason="Ray is not installed: make .venv/.vllm")
    monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "0")  # others use this machine's memory too
    text = study.read_text().replace(
        "runs:\n", 'runs:\n  again: {command: [data, stats, "FILE", --source, trl], after: [stats]}\n'
    )
    text = text.replace("FILE", f"{tmp_path}/{{corpus}}.jsonl").replace(
        "at: read}", "at: read}, again: {of: again, at: read}"
    )
    study.write_text(text.replace("[data, stats", "[data, stats, --max-bad, 0.5", 1))
    ray.init(num_cpus=2, num_gpus=0, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        answer = prmkit("study", study, "--out", tmp_path / "out", "--launcher", "ray", "--json")
    finally:
        ray.shutdown()
    result = json.loads(answer.out)
    assert [(row["trees"], row["again"]) for row in result["rows"]] == [(1, 1), (2, 2), (None, None)]
    assert [(each["run"], each["state"]) for each in result["cells"]["failed"]] == [
        ("stats", "failed"),
        ("again", "skipped"),
    ]
    assert answer.code == 1


def test_the_study_of_the_docs_binds(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "studies.md").read_text(encoding="utf-8")
    file = tmp_path / "two-rates.yaml"
    file.write_text(text.partition("```yaml\n")[2].partition("```")[0], encoding="utf-8")
    grid = grid_of(plan_of(*at_scale(compose(file), "synthetic")), tmp_path)
    assert len(grid.cells) == 1 + 1 + 3 * 4


PAPER = [name for name in find_recipes() if name.startswith("paper/")]


@pytest.mark.parametrize("name", PAPER)
def test_every_run_of_every_scale_of_the_paper_binds(name: str) -> None:
    composed = compose(find_recipes()[name])
    scales = list(composed.values["scales"])
    assert scales == ["synthetic", "small", "paper"]
    for scale in scales:
        grid = grid_of(plan_of(*at_scale(composed, scale)), Path("runs/studies"))
        assert grid.cells
        assert all(cell.recipe is not None or cell.words[0] in ("evaluate", "data") for cell in grid.cells.values())
