from pathlib import Path

import pytest

from prmkit.grade.math.qwen import parsing
from prmkit.grade.math.qwen.parsing import parsed


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("\\frac{1}{2}", "1/2"),
        ("3,4", "3"),  # as far as it is understood
        ("10\\cdot2", "10*2"),
        ("(1,2)", "(1, 2)"),  # from here on: not LaTeX, but Python
        ("[1,x]", "[1, x]"),
        ("{2,1}", "{1, 2}"),
        ("[sqrt(4),Max(1,x)]", "[2, Max(1, x)]"),
        ("6.4e+01", "64.0000000000000"),
        ("'1.50'", "1.50000000000000"),
        ("'a,b'", "a,b"),
        ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "Matrix([[1, 2], [3, 4]])"),  # from here on: latex2sympy
        ("05", "5"),
        ("7\\\\8", "7"),
        ("5~", "5"),
        ("(0,\\infty)", "(0,\\infty)"),  # its successor would know it, it does not
        ("\u22121", "\u22121"),  # nor Unicode
        ("", ""),
    ],
)
def test_the_first_parser_that_takes_a_text_reads_it(text: str, value: str) -> None:
    assert str(parsed(text)) == value


@pytest.mark.parametrize(
    "text",
    [
        "TOUCH",
        "[TOUCH]",
        "(lambda: TOUCH)()",
        "{x for x in [TOUCH]}",
        "[TOUCH if 1 else 2]",
        "f(x=TOUCH)",
        "[*[TOUCH]]",
        "f'{TOUCH}'",
        "(x := 3)",
        "x[0]",
        "Symbol('x').__class__",
        # sympy evaluates a text that it is given, wherever it stands
        "sin('TOUCH')",
        "sympify('TOUCH')",
        "lambdify('x', 'TOUCH')(1)",
        "('TOUCH', 1)",
        "S('TOUCH')",
        "Integer(sin('TOUCH'))",
    ],
)
def test_what_a_model_wrote_is_never_run(text: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    with pytest.raises((ValueError, SyntaxError)):
        parsing._python(text.replace("TOUCH", f"open({str(made)!r}, 'w')".replace("'", '"')))
    assert not made.exists()
