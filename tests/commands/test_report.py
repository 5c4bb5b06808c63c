import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.conftest import Answer
from tests.report.runs import strategy_run, train_run


def test_a_page_and_a_summary_are_written(
    prmkit: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [strategy_run(tmp_path / "beam", {"p": True, "q": False}), train_run(tmp_path / "train")]
    monkeypatch.chdir(tmp_path)
    answer = prmkit("report", *runs, "--title", "Mine", "--json")
    assert (answer.code, json.loads(answer.out)["wrote"]) == (0, "report.html")
    assert "<title>Mine</title>" in Path("report.html").read_text()
    answer = prmkit("report", *runs, "--markdown")
    assert answer.code == 0, answer.err
    assert "| beam | search | beam on b | 50.0 ± 1.0 | 200 |" in Path("report.md").read_text()
    refused = prmkit("report", *runs)
    assert (refused.code, refused.err.strip()) == (
        2,
        "report.html: the file exists. Give --overwrite or another --out.",
    )


def test_a_folder_that_is_no_run_is_one_line(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    answer = prmkit("report", tmp_path, "--out", tmp_path / "r.html")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.strip().startswith(f"{tmp_path}: not the folder of a finished run")
    assert not (tmp_path / "r.html").exists()
