"""Small studies, written to a file, and cells that need no prmkit."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from prmkit.recipe.compose import compose
from prmkit.study.axes import plan_of
from prmkit.study.grid import Cell, Grid, grid_of
from prmkit.study.scale import at_scale

STUDY = """\
# A study of nothing: prmkit study study.yaml
stage: study
title: Nothing
axes:
  size: {small: {steps: 5, lr: 1e-3}, large: {steps: 7, lr: 2e-3}}
  seed: [1, 2]
  k: [1, 2]
runs:
  world: {recipe: synthetic/world, set: {policy.policy_steps: "{size.steps}"}}
  train: {recipe: synthetic/train, set: {model.name: "{world}/backbone", seed: "{seed}", train.lr: "{size.lr}"}}
  stats: {command: [data, stats, "{train}/trees.jsonl", --source, trees]}
  unused: {recipe: synthetic/train, set: {seed: 77}}
result:
  kind: line
  x: k
  y: loss
  series: size
  rows:
    - columns: {size: "{size}", k: "{k}", loss: {of: stats, at: "loss.{k}"}}
scales:
  synthetic: {}
  small:
    axes: {seed: [3]}
"""


def write_study(folder: Path, text: str = STUDY) -> Path:
    file = folder / "study.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def changed(old: str, new: str) -> str:
    """The study with one text in the place of another, which it must hold."""
    assert old in STUDY
    return STUDY.replace(old, new, 1)


def grid_at(file: Path, scale: str = "synthetic", *overrides: str, out: str = "out") -> Grid:
    return grid_of(plan_of(*at_scale(compose(file), scale, overrides)), Path(out))


def cell(folder: Path, name: str, *after: str) -> Cell:
    return Cell(name=name, words=(name,), folder=folder / name, after=after, recipe=None)


def record(grid: Grid, run: str, point: Mapping[str, str | int], result: object) -> None:
    """Make a cell done, as if it had printed this in two seconds."""
    file = grid.cell(run, point).record
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"command": "", "seconds": 2.0, "result": result}))


def programs(patch: pytest.MonkeyPatch, **programs: str) -> None:
    """Let each cell run a Python program instead of a verb, by the first word of its command."""
    patch.setattr("prmkit.study.cell_run._command", lambda cell: [sys.executable, "-c", programs[cell.words[0]]])
