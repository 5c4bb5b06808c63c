import re

import pytest

from prmkit.grade.math.forms.brackets import depth, enclosed, split

COMMA = re.compile(",")


def test_how_deep_brackets_go() -> None:
    assert [depth(text) for text in ("", "1", "(1)", "((1))()", ")(", r"\begin{pmatrix}(1)\end{pmatrix}")] == [
        0,
        0,
        1,
        2,
        1,
        2,
    ]


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("1, 2", ["1", ",", "2"]),
        ("(1,2),[3,4)", ["(1,2)", ",", "[3,4)"]),
        (r"\{1,2\}, 3", [r"\{1,2\}", ",", "3"]),
        (r"\begin{array}1,2\end{array},3", [r"\begin{array}1,2\end{array}", ",", "3"]),
        ("1)),2", ["1))", ",", "2"]),
        ("", [""]),
    ],
)
def test_parts_outside_of_brackets(text: str, parts: list[str]) -> None:
    assert split(text, COMMA) == parts


def test_what_brackets_enclose() -> None:
    assert enclosed("(1)", "(", ")") == "1"
    assert enclosed("((1)(2))", "(", ")") == "(1)(2)"
    assert enclosed("(1)(2)", "(", ")") is None
    assert enclosed("[1)", "[", ")") == "1"
    assert enclosed(r"\{1\}", "\\{", "\\}") == "1"
    assert enclosed("1", "(", ")") is None
