from pathlib import Path

import pytest

from prmkit.grade.math.qwen import same


@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [
        ("50", "0.5", True),  # per cent
        ("0.5", "50%", True),
        ("1.2", "120", True),
        ("3", "3.0002", True),  # within 1e-4 of it
        ("3", "3.001", False),
        ("12", "1,2", True),  # commas count nowhere in a number
        ("10", "10 cm", True),
        ("10", "ten", True),
        ("10", "11 cm", False),
        ("2+3i", "2+3j", True),
        ("B", "(b)", True),
        ("B", "A or C", False),
        ("A or C", "C", False),  # a letter is looked for in the answer alone
        ("(1,2)", "[1,2]", True),
        ("(1,2)", "(2,1)", False),
        ("{1,2}", "{2,1}", True),
        ("3x,4", "3x,5", True),  # sympy reads 3x of both
        ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{bmatrix}1&2\\\\3&2^2\\end{bmatrix}", True),
        ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{pmatrix}1&2\\\\4&3\\end{pmatrix}", False),
        ("\\begin{pmatrix}1&2\\end{pmatrix}", "\\begin{pmatrix}1\\\\2\\end{pmatrix}", False),  # a row, no column
        ("\\begin{pmatrix}0.29018\\\\1\\end{pmatrix}", "(\\begin{pmatrix}0.2902\\\\1\\end{pmatrix})", True),  # 3 digits
        ("3", "\\begin{pmatrix}3\\end{pmatrix}", False),
        ("p+q=3", "3-q=p", True),  # both sides moved to one, up to the sign
        ("p+q=3", "p+q=4", False),
        ("y+1", "k=1+y", True),
        ("k=1+y", "y+1", True),
        ("(1,4)", "(1,2^2)", True),
        ("(1,2,3)", "(1,2)", False),
        ("\\sqrt{2}", "1.41421", True),
        ("2\\pi", "6.2832", False),  # a symbol like any other,
        ("x+1", "1+x", True),
        ("x+1", "'x+1'", False),  # a text that Python quotes is no expression
        ("3", "", False),
    ],
)
def test_answers_in_other_words(gold: str, answer: str, verdict: bool) -> None:
    assert same(gold, answer) is verdict


def test_what_a_model_wrote_is_never_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    touch = f"__import__('pathlib').Path({str(made)!r}).touch()"
    for answer in (touch, f'"{touch}"', f'("{touch}",)', f'[{touch},"{touch}"]'):
        assert not same("3", answer)
        assert not same("x+1", answer)
        assert not same("(x,1)", answer)
    assert not made.exists()
