import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from prmkit import __version__, commands
from prmkit.errors import RunError
from tests.commands.conftest import ROOT, Answer

VERBS = (
    "annotate",
    "train",
    "search",
    "evaluate",
    "similarity",
    "report",
    "demo",
    "trees",
    "recipes",
    "data",
    "attribute",
    "checkpoint",
    "models",
    "study",
    "world",
)


def test_help_names_every_verb(prmkit: Callable[..., Answer]) -> None:
    answer = prmkit("--help")
    assert answer.code == 0
    assert all(f"  {verb}  " in answer.out for verb in VERBS)
    for verb in VERBS:
        assert prmkit(verb, "--help").code == 0


def test_the_version(prmkit: Callable[..., Answer]) -> None:
    assert prmkit("--version").out == f"prmkit {__version__}\n"


def test_wrong_usage_exits_with_2(prmkit: Callable[..., Answer]) -> None:
    assert prmkit("train").code == 2
    assert prmkit("train", "prm800k/7b", "--colour").code == 2


def test_a_run_that_fails_exits_with_1_and_one_line(
    prmkit: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RunError("the disk is full")

    monkeypatch.setattr(commands, "app", fail)
    answer = prmkit("train")
    assert (answer.code, answer.err) == (1, "the disk is full\n")


def test_an_interrupted_run_exits_with_130(prmkit: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("prmkit.recipe.catalog.locate", interrupt)
    assert prmkit("train", "prm800k/7b").code == 130


def test_a_dry_run_prints_origins_and_writes_nothing(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    for verb, name in (
        ("train", "code/72b"),
        ("annotate", "synthetic/annotate"),
        ("search", "synthetic/search-math"),
        ("similarity", "synthetic/similarity"),
    ):
        no_pilot = ("--set", "pilot=0") if verb == "annotate" else ()
        answer = prmkit(verb, name, "--out", tmp_path / "run", "--dry-run", "--set", "seed=7", *no_pilot, "--json")
        rows = {row["key"]: row for row in json.loads(answer.out)}
        assert rows["seed"] == {"key": "seed", "value": 7, "origin": "--set"}
    assert not (tmp_path / "run").exists()


def test_the_launcher_is_the_console_script() -> None:
    called = subprocess.run(
        [sys.executable, str(ROOT / "cli.py"), "--version"], capture_output=True, text=True, check=True
    )
    assert called.stdout == f"prmkit {__version__}\n"
