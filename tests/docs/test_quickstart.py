"""The quickstart, from top to bottom in a fresh folder: its commands run, and print what the page shows.

Numbers may differ, and where the page says ``...`` anything may stand; everything else is as shown, in that order.
"""

import os
import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks

NUMBER = re.compile(r"[-+]?\d[\d,]*\.?\d*(?:e[-+]?\d+)?")
PAGE = list(blocks(ROOT / "docs" / "quickstart.md"))


def shape(line: str) -> str:
    """A line without its numbers and the width of its columns."""
    return " ".join(NUMBER.sub("0", line).split())


def missing(shown: str, printed: str) -> str | None:
    """The first line that the page shows and the output lacks, in their order; None if all are there."""
    lines = iter([shape(line) for line in printed.splitlines()])
    for line in shown.splitlines():
        start, *end = shape(line).split("...")
        if start + "".join(end) and not any(out.startswith(start) and out.endswith("".join(end)) for out in lines):
            return line
    return None


@pytest.mark.slow
@pytest.mark.timeout(1800)  # it waits for eleven programs, one after the other
def test_the_quickstart_runs_and_prints_what_it_shows(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "prmkit").write_text(f'#!/bin/sh\nexec {sys.executable} {ROOT / "cli.py"} "$@"\n')
    (tmp_path / "bin" / "prmkit").chmod(0o755)
    path = f"{tmp_path / 'bin'}:{os.environ['PATH']}"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PATH": path, "OMP_NUM_THREADS": "1"}
    ran = [block for block in PAGE if block.language in ("bash", "text")]
    for block, after in pairwise([*ran, ran[-1]]):
        if block.language != "bash":
            continue
        done = subprocess.run(
            ["bash", "-e", "-c", block.text],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"docs/quickstart.md:{block.line}\n{done.stdout}"
        if after.language == "text":
            line = missing(after.text, done.stdout)
            assert line is None, f"docs/quickstart.md:{after.line}: no {line!r} in\n{done.stdout}"
    assert (tmp_path / "runs" / "first" / "report.html").stat().st_size > 10_000
    assert "prm@8" in (tmp_path / "runs" / "first" / "prm" / "checkpoint" / "README.md").read_text()


def test_every_output_follows_its_command() -> None:
    languages = [block.language for block in PAGE if block.language in ("bash", "text")]
    assert languages == ["bash", "text"] * (len(languages) // 2)
    assert len(languages) > 10


def test_a_shape_is_all_but_the_numbers() -> None:
    assert missing("pass@1   0.42 ± 0.03 (n = 100)\n...\nwrote", "pass@1 1.5e-7 ± 12 (n = 7)\nany\nwrote") is None
    assert missing("train.lr  3e-5  ...", "train.lr    0.001   recipes/a.yaml:3") is None
    assert missing("b\na", "a\nb") == "a"
    assert missing("accuracy 0.5", "precision 0.5") == "accuracy 0.5"
