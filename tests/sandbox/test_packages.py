import sys
from pathlib import Path

import pytest

from prmkit.sandbox.packages import imported, missing, needs_packages


@pytest.mark.parametrize(
    ("program", "names"),
    [
        ("import os, numpy.linalg as la", {"os", "numpy"}),
        ("from collections import Counter", {"collections"}),
        ("from a.b.c import d", {"a"}),
        ("def f():\n    if x:\n        import pandas", {"pandas"}),  # anywhere
        ("from . import a\nfrom .b import c", set()),  # of no package of that name
        ("x = 'import numpy'\n# import pandas", set()),
        ("import numpy\ndef f(x return", set()),  # it does not parse, so nothing will be imported
        ("import numpy\0", set()),
        ("", set()),
    ],
)
def test_what_a_program_imports(program: str, names: set[str]) -> None:
    assert imported(program) == names


@pytest.mark.parametrize(
    ("program", "needed"),
    [
        ("import os, re, typing", False),
        ("from __future__ import annotations\nimport __main__", False),
        ("def f(x): return x", False),
        ("important = 1", False),
        ("import math\ndef f(x):\n    from numpy import array", True),
        ("import no_such_package", True),  # whether it is installed or not
    ],
)
def test_a_program_needs_packages_if_it_imports_more_than_the_standard_library(program: str, needed: bool) -> None:
    assert needs_packages(program) is needed


def test_packages_that_are_not_installed_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "package_made_for_this_test").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    program = "import os, no_such_b.c, no_such_a, numpy\nimport package_made_for_this_test"
    assert missing(program) == ["no_such_a", "no_such_b"]
    assert missing("import os, __main__") == []


def test_a_program_nested_too_deeply_to_be_read_imports_nothing() -> None:
    assert imported("(" * 100_000) == set()
    assert imported("x = " + "-" * 100_000 + "1") == set()
