import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.commands.conftest import Answer


def figure(value: float, stderr: float) -> dict[str, Any]:
    return {"value": value, "stderr": stderr, "n": 250}


SUMMARY = {
    f"synthetic-{domain}": {
        "pass@1": figure(0.4341, 0.0162),
        "prm@8": figure(0.796, 0.026),
        "differences": {"prm@8 - pass@1": figure(0.3619, 0.031)},
        "within_problem_auc": figure(0.8691, 0.0156),
    }
    for domain in ("math", "code")
} | {"seconds": {"world": 0.4, "train": 60.4}}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What the loop was asked for; it says one line and ends at once."""
    asked: dict[str, Any] = {}

    def run_demo(out: Path, *, say: Callable[[str], None], **options: Any) -> dict[str, Any]:
        asked.update(options, out=out)
        say("[world: 0.4 s]")
        return SUMMARY

    monkeypatch.setattr("prmkit.demo.loop.run_demo", run_demo)
    return asked


def test_figures_are_shown_in_percent_and_an_auc_as_it_is(
    prmkit: Callable[..., Answer], asked: dict[str, Any], tmp_path: Path
) -> None:
    answer = prmkit("demo", "--out", tmp_path / "demo")
    assert answer.code == 0
    lines = [line.split(maxsplit=1) for line in answer.out.splitlines()]
    assert [line[0] for line in lines[1:-1]] == ["synthetic-math"] * 4 + ["synthetic-code"] * 4
    assert [line[1].split() for line in lines[1:5]] == [
        ["pass@1", "43.4", "±", "1.6", "250"],
        ["prm@8", "79.6", "±", "2.6", "250"],
        ["within_problem_auc", "0.869", "±", "0.016", "250"],
        ["prm@8", "-", "pass@1", "36.2", "±", "3.1", "250"],
    ]
    end = f"61 s. Look at {tmp_path}/demo/report.html and {tmp_path}/demo/summary.json"
    assert answer.out.splitlines()[-1] == end
    assert answer.err == "[world: 0.4 s]\n"


def test_in_json_nothing_else_is_printed(prmkit: Callable[..., Answer], asked: dict[str, Any]) -> None:
    assert json.loads(prmkit("demo", "--json").out) == SUMMARY


def test_the_options_reach_the_loop(prmkit: Callable[..., Answer], asked: dict[str, Any], tmp_path: Path) -> None:
    plain = {"from_scratch": False, "resume": False, "overwrite": False}
    assert prmkit("demo").code == 0
    assert asked.pop("watch") is not None
    assert asked == {**plain, "out": Path("runs/demo")}
    for option, name in (("--from-scratch", "from_scratch"), ("--resume", "resume"), ("--overwrite", "overwrite")):
        prmkit("demo", "--out", tmp_path, option)
        asked.pop("watch")
        assert asked == {**plain, "out": tmp_path, name: True}


def test_an_interrupted_demo_says_how_to_go_on(
    prmkit: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(out: Path, **_: Any) -> None:
        (out / "run.yaml").write_text("recipe: {stage: demo}\n")
        raise KeyboardInterrupt

    monkeypatch.setattr("prmkit.demo.loop.run_demo", interrupted)
    answer = prmkit("demo", "--out", tmp_path, "--overwrite")
    assert (answer.code, answer.err) == (130, f"interrupted; go on with: prmkit demo --out {tmp_path} --resume\n")
