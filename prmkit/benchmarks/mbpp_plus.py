"""MBPP+: 378 small functions (v0.2.0; 399 in v0.1.0), judged on base and plus inputs. See humaneval_plus.

The hub's form also covers plain MBPP: its assertions are the tests. Its prompt is given the first assertion, as in
evalplus, since without it the name of the function is unknown.

Source: Liu et al. 2023, arXiv 2305.01210; Austin et al. 2021, arXiv 2108.07732.
"""

import ast
import builtins
from functools import partial
from pathlib import Path
from typing import Any

from prmkit.benchmarks.code_rows import shown_calls, text_of
from prmkit.benchmarks.evalplus_rows import EvalplusForm, cases_of, evalplus_rows, tolerance
from prmkit.benchmarks.mbpp_types import typed_arguments
from prmkit.errors import InputError
from prmkit.rows_io import Fields, field
from prmkit.sandbox.syntax import parse
from prmkit.tree import Problem

_RELEASE = "https://github.com/evalplus/mbppplus_release/releases/download/v0.2.0/MbppPlus.jsonl.gz"


def load(*, path: Path | None, limit: int | None, seed: int, form: EvalplusForm = "rich") -> list[Problem]:
    """The problems in file order, with ids ``Mbpp/2`` and so on.

    Args:
        path: see prmkit.benchmarks.load; without, the release that ``form`` names.
        limit: see prmkit.benchmarks.load.
        seed: not used.
        form: without a path: ``rich``, evalplus's release v0.2.0, or ``hub``, evalplus/mbppplus.

    Raises:
        InputError: a row lacks what its form promises.
    """
    rows = evalplus_rows(path, form, release=_RELEASE, hub="evalplus/mbppplus", limit=limit)
    return [_rich(row, where) if "base_input" in row else _hub(row, where) for where, row in rows]


def _rich(row: Fields, where: str) -> Problem:
    name, prompt = field(row, where, "task_id"), text_of(row, where, "prompt")
    number = name.rpartition("/")[2]
    if not number.isdecimal():
        raise InputError("illegal task_id", where=where, got=name, expected="such as Mbpp/2")
    restore = partial(typed_arguments, int(number))
    return Problem(
        id=name,
        prompt=prompt,
        domain="code",
        entry_point=field(row, where, "entry_point"),
        tests=tuple(
            case for column in ("base_input", "plus_input") for case in cases_of(row, where, column, restore=restore)
        ),
        rule="evalplus",
        reference=prompt + text_of(row, where, "canonical_solution"),
        atol=tolerance(row, where),
    )


def _hub(row: Fields, where: str) -> Problem:
    tests = row.get("test_list")
    if not isinstance(tests, list) or not tests or not all(isinstance(test, str) for test in tests):
        raise InputError("illegal test_list", where=where, got=tests, expected="assertions")
    shown = f'"""\n{field(row, where, "prompt", "text")}\n{tests[0]}\n"""\n'
    code = text_of(row, where, "code")
    name = _entry_point(code, tests, where)
    imports = row.get("test_imports") or []
    if not isinstance(imports, list) or not all(isinstance(line, str) for line in imports):
        raise InputError("illegal test_imports", where=where, got=imports, expected="lines of Python")
    setup = [*imports, str(row.get("test_setup_code") or "")]
    full = row.get("test") or "\n".join(tests)
    return Problem(
        id=f"Mbpp/{field(row, where, 'task_id')}",
        prompt=shown,
        domain="code",
        entry_point=name,
        tests=shown_calls(shown, name),
        rule="asserts",
        reference=code,
        check="\n".join([*setup, str(full)]),
    )


def _entry_point(code: str, tests: list[Any], where: str) -> str:
    """The function that the assertions call and the reference defines."""
    try:
        defined = {node.name for node in ast.walk(parse(code)) if isinstance(node, ast.FunctionDef)}
        nodes = [node for test in tests for node in ast.walk(parse(test))]
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise InputError(f"the reference or a test is no Python ({error})", where=where) from None
    calls = [node.func.id for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    called = [name for name in calls if name in defined] or [name for name in calls if not hasattr(builtins, name)]
    if not called:
        raise InputError("the tests call no function of the reference", where=where, got=tests[0])
    return called[0]
