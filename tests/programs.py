"""Problems of the corpora of programs, one of each form, with a right and a wrong program written by hand."""

import json
from dataclasses import dataclass
from typing import Any

from prmkit.sources import SOURCES
from prmkit.tree import Problem

_CLASS = "class Solution:\n    def inc(self, x: List[int]) -> List[int]:\n        return {}"
_FUNCTION = "def inc(x):\n    return {}"
_SCRIPT = "for _ in range(int(input())):\n    print(int(input()) + 1){}"
_CALLS = {"fn_name": "inc", "inputs": [[[1, 2]], [[5]]], "outputs": [[[2, 3]], [[6]]]}
_TEXTS = {"inputs": ["2\n1\n2\n", "1\n5\n"], "outputs": ["2\n3\n", "6\n"]}


@dataclass(frozen=True, slots=True)
class Form:
    """A row as its corpus has it, and what solves it or does not."""

    source: str
    row: dict[str, Any]
    right: str
    wrong: str

    @property
    def problem(self) -> Problem:
        """The problem of the row."""
        tree = SOURCES.load(self.source)(self.row, "f:1")
        assert tree is not None
        return tree.problem


def _row(tests: dict[str, Any], starter: str = "") -> dict[str, Any]:
    return {"question": "Add one.", "input_output": json.dumps(tests), "starter_code": starter}


_CONTEST = {
    "description": "Add one.",
    "public_tests": {"input": _TEXTS["inputs"][:1], "output": _TEXTS["outputs"][:1]},
    "private_tests": {"input": _TEXTS["inputs"][1:], "output": _TEXTS["outputs"][1:]},
}
_ADDED, _SAME = "[each + 1 for each in x]", "x"
_RIGHT, _WRONG = _SCRIPT.format(""), _SCRIPT.format("\nprint()\nprint(7)")

FORMS = {
    "apps, class": Form("apps", _row(_CALLS, _CLASS.format("")), _CLASS.format(_ADDED), _CLASS.format(_SAME)),
    "apps, function": Form("apps", _row(_CALLS, "def inc(x):"), _FUNCTION.format(_ADDED), _FUNCTION.format(_SAME)),
    "apps, function for a class": Form(
        "apps", _row(_CALLS, _CLASS.format("")), _FUNCTION.format(_ADDED), _FUNCTION.format(_SAME)
    ),
    "apps, script": Form("apps", _row(_TEXTS), _RIGHT, _WRONG),
    "taco, class": Form("taco", _row(_CALLS, _CLASS.format("")), _CLASS.format(_ADDED), _CLASS.format(_SAME)),
    "taco, script": Form("taco", _row(_TEXTS), _RIGHT, _WRONG),
    "code-contests": Form("code-contests", _CONTEST, _RIGHT, _WRONG),
}


def fenced(program: str) -> str:
    """A program as a model ends its solution."""
    return f"```python\n{program}\n```"
