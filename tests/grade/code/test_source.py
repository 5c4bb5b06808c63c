import ast
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.grade.code.source import acts, bound, defines, parsed, runs, within, without_use


def tree_of(code: str) -> ast.Module:
    tree = parsed(code)
    assert tree is not None
    return tree


@pytest.mark.parametrize("code", ["x = (", "a b", "\x00", "(" * 1000, "-" * 100_000 + "1", "\ud800"])
def test_what_is_no_python_is_none(code: str) -> None:
    assert parsed(code) is None


def test_nobody_is_warned_of_what_models_write() -> None:
    program = """from prmkit.grade.code.source import parsed; print(parsed("'\\\\d'") is not None)"""
    done = subprocess.run([sys.executable, "-W", "always", "-c", program], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("True\n", "")


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("x = 1\ny = 2", ["x = 1\ny = 2"]),
        ("So it is.\nx = 1\nThat is all.\ny = 2", ["x = 1", "y = 2"]),
        ("Do it:\ntry:\n    x()\nexcept E:\n    y()\nnow.", ["try:\n    x()\nexcept E:\n    y()"]),
        ("See below\nx = [\n1,\n2,\n]\nt = '''\nno code\n'''\nas said", ["x = [\n1,\n2,\n]\nt = '''\nno code\n'''"]),
        ("We say\n@a\n@b\ndef f():\n    pass\nand more", ["@a\n@b\ndef f():\n    pass"]),
        ("I say (this\nx = 1", ["x = 1"]),  # a bracket of prose that stays open
        ("x = 1\ndef f(a", ["x = 1"]),  # cut
        ("x = 1\ntry:\n    y()", ["x = 1"]),
        ("x = 1\ndef f():\n    y()\n    z = (y", ["x = 1\ndef f():\n    y()"]),  # cut within a function
        ("x = 1\ndef f():\n    y = (\nSo be it.", ["x = 1"]),
        ("Answer\nx = 1\nDone\ny = 2\n[END]", ["x = 1\ny = 2"]),  # names alone do nothing
        ("Done", []),
        ("no code at all", []),
        ("    x = 1", []),
        ("", []),
    ],
)  # fmt: skip
def test_the_parts_of_a_text_that_are_python(text: str, parts: list[str]) -> None:
    assert [part.text for part in runs(text)] == parts


LINES = [
    "x = 1",
    "",
    "prose is here",
    "if x:",
    "    y = (",
    "    y()",
    "else:",
    "'''",
    ")",
    "@d",
    "def f():",
    "Note: it",
]


@given(st.lists(st.sampled_from(LINES), max_size=12).map("\n".join))
def test_every_part_parses_and_stands_in_the_text(text: str) -> None:
    lines = iter(text.split("\n"))
    for part in runs(text):
        assert ast.dump(tree_of(part.text)) == ast.dump(part.tree)
        assert all(line in lines for line in part.text.split("\n"))  # in order


@pytest.mark.parametrize(
    "piece", ["(\n", "x = 1\n", "@x\n", "try:\n", "'''\n'\n", "a b\n", "[[", "x\n", "f'{", "if x:\n"]
)
def test_long_texts_are_searched_in_linear_time(piece: str) -> None:
    start = time.process_time()
    for _ in runs("no code\n" + piece * (30_000 // len(piece))):
        continue
    assert time.process_time() - start < 10  # a quadratic one takes minutes


def test_a_program_acts_if_a_statement_does() -> None:
    assert acts(tree_of("f()"))
    assert acts(tree_of("'a text'"))
    assert acts(tree_of("x: int = 1"))
    assert not acts(tree_of("3\nYES\n[1, 2]\nls - l\nNote: it"))


@pytest.mark.parametrize(
    ("code", "own"),
    [
        ("def f(x): return x", True),
        ("async def f(x): return x", True),
        ("@cache\ndef f(x): return x", True),
        ("f = lambda x: x", True),
        ("f: object = lambda x: x", True),
        ("class f: pass", True),
        ("if True:\n    def f(x): return x", True),
        ("try:\n    from math import f\nexcept ImportError:\n    def f(x): return x", True),
        ("from operator import add as f", True),
        ("import operator\nf = operator.add", True),
        ("f = partial(max, 1)\nfrom functools import partial", True),
        ("class Solution:\n    def f(self): return 1", True),
        ("class Solution:\n    f = lambda self: 1", True),
        ("class Other:\n    def f(self): return 1", False),
        ("def g():\n    def f(): return 1", False),
        ("def f(x): pass", False),  # the stub again
        ('def f(x):\n    """Doc."""\n    ...', False),
        ("def f(x): raise NotImplementedError", False),
        ("from solution import f", False),
        ("f = Solution().f", False),
        ("f = [1, 2]", False),
        ("f(1)", False),
    ],
)
def test_what_a_program_defines_itself(code: str, own: bool) -> None:
    assert defines(tree_of(code), "f") is own


def test_a_method_of_a_named_class() -> None:
    assert defines(tree_of("class A:\n    def f(self): return 1"), "A().f")
    assert not defines(tree_of("class B:\n    def f(self): return 1\ndef f(): return 1"), "A().f")


def test_names_are_bound_wherever_a_module_binds_them() -> None:
    code = "import a.b, c as d\nfrom e import f\nfor g in x: h = 1\nwith y as i:\n    j: int = 1\ndef k(l): m = 1"
    assert bound(tree_of(code)) == set("adfghijk")


def test_nodes_within_are_those_of_no_function() -> None:
    found = within(tree_of("return 1\ndef f():\n    return 2\nx = lambda: 3"))
    assert [node.value for node in found if isinstance(node, ast.Constant)] == [1]


FUNCTION = "def f(x):\n    return x\n"


@pytest.mark.parametrize(
    ("behind", "kept"),
    [
        ("assert f(1) == 2\n", ""),
        ("print(f(int(input())))\n", ""),
        ("n = int(input())\nprint(n)\n", ""),
        ("def test():\n    assert f(1)\ntest()\n", "def test():\n    assert f(1)\n"),
        ("if __name__ == '__main__':\n    print(f(1))\n", ""),
        ("exit()\ny = 1\n", ""),
        ("f.seen = {}\ntable = []\nfor i in range(9): table.append(i)\n", None),  # set up, no use
        ("def helper():\n    return 1\n", None),
    ],
)
def test_a_program_ends_where_it_begins_to_use_its_function(behind: str, kept: str | None) -> None:
    code = FUNCTION + behind
    assert without_use(code, tree_of(code), "f") == FUNCTION + (behind if kept is None else kept)


def test_use_between_two_definitions_stays() -> None:
    code = FUNCTION + "print(f(1))\n" + FUNCTION
    assert without_use(code + "f(2)\n", tree_of(code + "f(2)\n"), "f") == code


def test_the_use_of_a_method() -> None:
    code = "class Solution:\n    def f(self): return 1\n"
    whole = code + "print(Solution().f())\n"
    assert without_use(whole, tree_of(whole), "f") == code
