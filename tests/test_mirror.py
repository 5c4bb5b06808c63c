"""Every module that does something has a test module of its name, at its place."""

import ast
from pathlib import Path

import pytest

import prmkit

PACKAGE = Path(prmkit.__file__).parent
TESTS = Path(__file__).parent


def behaves(file: Path) -> bool:
    """Whether a module holds a function or method with a body: more than a contract, a table or a declaration."""
    return any(
        isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _declares(node)
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8")))
    )


def _declares(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether nothing is left of a function but its docstring and ``...``."""
    return all(isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant) for each in function.body)


def test_of(file: Path) -> Path:
    inner = file.relative_to(PACKAGE)
    name = "init" if inner.stem == "__init__" else "main" if inner.stem == "__main__" else inner.stem
    return TESTS / inner.parent / f"test_{name}.py"


test_of.__test__ = False  # type: ignore[attr-defined]

MODULES = sorted(file for file in PACKAGE.rglob("*.py") if behaves(file))


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_a_module_with_behaviour_has_a_test_of_its_name(file: Path) -> None:
    assert test_of(file).is_file(), f"write {test_of(file).relative_to(TESTS.parent)}"


def test_a_contract_is_no_behaviour(tmp_path: Path) -> None:
    file = tmp_path / "module.py"
    file.write_text('class P:\n    def f(self) -> int:\n        """Says so."""\n        ...\n\nTABLE = {"a": 1}\n')
    assert not behaves(file)
    file.write_text("def f():\n    return 1\n")
    assert behaves(file)
