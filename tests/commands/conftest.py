"""The command line, called in this process as ``prmkit`` calls it."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from prmkit.commands import main

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Answer:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str


@pytest.fixture
def prmkit(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    def call(*arguments: object) -> Answer:
        monkeypatch.setattr(sys, "argv", ["prmkit", *map(str, arguments)])
        with pytest.raises(SystemExit) as exit_:
            main()
        printed = capsys.readouterr()
        return Answer(code=int(exit_.value.code or 0), out=printed.out, err=printed.err)

    return call


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """24 sums of two steps, half of them with a wrong second one."""
    path = tmp_path / "corpus.jsonl"
    rows = [
        {"prompt": f"{a}+{b}?", "completions": [f"{a}+{b}", str(a + b + wrong)], "labels": [True, wrong == 0]}
        for a in range(4)
        for b in range(3)
        for wrong in (0, 1)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture
def train_recipe(tmp_path: Path, corpus: Path, backbone: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A training that takes seconds, of data that nobody has prepared."""
    monkeypatch.setenv("PRMKIT_CACHE", str(tmp_path / "cache"))
    path = tmp_path / "small.yaml"
    path.write_text(
        f"stage: train\ndata: {{source: trl, path: {corpus}}}\nmodel: {{name: {backbone}, max_length: 64}}\n"
        "train: {batch_size: 8, lr: 1e-3, validation_share: 0.25, devices: 1}\n"
    )
    return path
