"""A tiny study of the embedded world, from labels to its figure, and again."""

import json
from pathlib import Path

import pytest

from prmkit.study.gather import gather
from prmkit.study.local import run_here
from tests.study.studies import grid_at, write_study

STUDY = """\
# Best of 2 by two trainings
stage: study
title: Best of 2
axes: {seed: [1, 2], n: [1, 2]}
runs:
  world: {recipe: synthetic/world}
  labels:
    recipe: synthetic/annotate
    set:
      generator.name: "{world}/policy"
      problems: [{benchmark: synthetic-math, limit: 12, seed: 11, options: {split: train}}]
      solutions: 2
  train:
    recipe: synthetic/train
    set: {model.name: "{world}/backbone", data.path: "{labels}/trees.jsonl", seed: "{seed}", train.epochs: 1}
  search:
    recipe: synthetic/search-math
    set:
      generator.name: "{world}/policy"
      scorer.checkpoint: "{train}/checkpoint"
      problems.limit: 8
      strategy.options.n: 2
  evaluate: {command: [evaluate, "{search}", --overwrite]}
result:
  kind: line
  x: n
  y: accuracy
  series: rule
  rows:
    - columns: {rule: prm, n: "{n}", accuracy: {of: evaluate, at: "selection.prm@{n}", times: 100}}
    - columns: {rule: majority, n: "{n}", accuracy: {of: evaluate, at: "selection.maj@{n}", times: 100}}
scales: {synthetic: {}}
"""


@pytest.mark.slow
def test_a_tiny_study(tmp_path: Path) -> None:
    grid = grid_at(write_study(tmp_path, STUDY), out=str(tmp_path / "out"))
    assert len(grid.cells) == 1 + 1 + 2 + 2 + 2
    outcomes = run_here(grid.cells, 2, lambda *_: None)
    assert {outcome.state for outcome in outcomes.values()} == {"done"}, outcomes
    result = gather(grid, "synthetic", tmp_path / "out" / "study-synthetic", outcomes)
    by_rule = {(row["rule"], row["n"]): row for row in result.rows}
    assert len(by_rule) == 4
    # Of one solution nothing is chosen, by whatever rule; and both seeds search the same candidates.
    assert by_rule["prm", 1]["accuracy"] == by_rule["majority", 1]["accuracy"]
    assert by_rule["majority", 2]["accuracy_runs_stderr"] == 0
    assert all((row["accuracy_n"], row["accuracy_runs"]) == (8, 2) for row in result.rows)
    assert {outcome.state for outcome in run_here(grid.cells, 2, lambda *_: None).values()} == {"found"}
    shared = grid_at(write_study(tmp_path, STUDY), "synthetic", "axes.seed=[2, 3]", out=str(tmp_path / "out"))
    assert sum(cell.done for cell in shared.cells.values()) == 1 + 1 + 1 + 1 + 1
    stored = json.loads((tmp_path / "out" / "study-synthetic" / "metrics.json").read_text())
    assert stored["rows"] == result.rows
