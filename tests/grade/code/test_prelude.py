import pytest

from prmkit.grade.code.prelude import after_future_imports


@pytest.mark.parametrize(
    ("program", "whole"),
    [
        ("x = 1", "import a\nx = 1"),
        ("from __future__ import annotations\nx = 1", "from __future__ import annotations\nimport a\nx = 1"),
        (
            '#!/usr/bin/python\n"""Doc."""\nfrom __future__ import annotations\nfrom __future__ import division\nx = 1',
            '#!/usr/bin/python\n"""Doc."""\nfrom __future__ import annotations\nfrom __future__ import division\n'
            "import a\nx = 1",
        ),
        (
            "from __future__ import (\n    annotations,\n)\nx",
            "from __future__ import (\n    annotations,\n)\nimport a\nx",
        ),
        ("x = '__future__'", "import a\nx = '__future__'"),
        ("from __future__ import (", "import a\nfrom __future__ import ("),  # no Python anyway
    ],
)
def test_what_stands_before_a_program_comes_after_its_future_imports(program: str, whole: str) -> None:
    assert after_future_imports("import a", program) == whole


def test_without_a_prelude_a_program_is_as_it_was() -> None:
    assert after_future_imports("", "from __future__ import annotations\nx") == "from __future__ import annotations\nx"
