"""The launcher on a stand-in for Ray that runs each task at once; a real cluster is in commands/test_study.py."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from prmkit.study.ray import run_on_ray
from tests.study.studies import cell, programs


class Task:
    """What ``ray.remote`` makes of a function: references are the results themselves, in a box."""

    def __init__(self, function: Callable[..., Any], gpus: list[int]) -> None:
        self._function, self._gpus = function, gpus

    def options(self, *, num_gpus: int) -> "Task":
        self._gpus.append(num_gpus)
        return self

    def remote(self, first: Any, *boxes: Any) -> Any:
        return SimpleBox(self._function(first, *(box.value for box in boxes)))


class SimpleBox:
    def __init__(self, value: Any) -> None:
        self.value = value


def test_a_task_waits_for_its_inputs_and_is_skipped_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpus: list[int] = []
    ray = SimpleNamespace(
        remote=lambda function: Task(function, gpus),
        wait=lambda pending, num_returns: (pending[:num_returns], pending[num_returns:]),
        get=lambda box: box.value,
    )
    monkeypatch.setattr("prmkit.study.ray.connect", lambda: ray)
    programs(monkeypatch, a="print(1)", b="import sys; sys.exit('no')", c="print(3)", d="print(4)")
    cells = [cell(tmp_path, "a"), cell(tmp_path, "b", "a"), cell(tmp_path, "c", "a", "b"), cell(tmp_path, "d", "a")]
    told = []
    outcomes = run_on_ray({each.name: each for each in cells}, lambda one, outcome: told.append(one.name))
    assert {name: (one.state, one.reason) for name, one in outcomes.items()} == {
        "a": ("done", ""),
        "b": ("failed", "no"),
        "c": ("skipped", "it needs b"),
        "d": ("done", ""),
    }
    assert (told, gpus) == (["a", "b", "c", "d"], [0, 0, 0, 0])
