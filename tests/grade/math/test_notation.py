import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.grade.math.notation import compact, plain


@pytest.mark.parametrize(
    ("written", "spelled"),
    [
        (r"\dfrac12", r"\frac{1}{2}"),
        (r"\frac 43", r"\frac{4}{3}"),
        (r"\frac1{72}", r"\frac{1}{72}"),
        ("2½", r"2\frac{1}{2}"),
        (r"\sqrt 2", r"\sqrt{2}"),
        ("√12", r"\sqrt{12}"),
        ("sqrt(3)", r"\sqrt{3}"),
        ("x²", "x^{2}"),
        ("x₁₂", "x_{12}"),
        ("0.3\u0305", r"0.\overline{3}"),
        (r"\left(1,\,2\right)", "(1, 2 )"),
        ("（１，２）", "(1,2)"),
        (r"\textbf{(C)}\ 12", "(C) 12"),
        (r"5\text{ ft }6\text{ in}", "5 ft 6 in"),
        (r"\textcolor{blue}{42}", "42"),
        (r"\boldsymbol{\underline{42}}", "42"),
        (r"\phantom{00}42\hspace{1em}", "42"),
        (r"60^\circ", "60°"),
        (r"60^{\circ}", "60°"),
        (r"10{,}000", "10,000"),
        (r"111,\!111", "111,111"),
        ("$18", "$18"),
        ("$18$", "18"),
        (r"\$18", "$18"),
        (r"\(\frac12\)", r"\frac{1}{2}"),
        ("**5**", "5"),
        ("42,", "42"),
        ("42.", "42"),
        (r"0.333\ldots", "0.333..."),
        (r"3\times 10^5", r"3\cdot 10^5"),
        (r"\{1,2\}", r"\{1,2\}"),
        (r"\sin^{-1}x", r"\sin^{-1}x"),
        (r"\begin{pmatrix}1\\2\end{pmatrix}", r"\begin{pmatrix}1\\2\end{pmatrix}"),
        ("(-1,0] U [3,∞)", r"(-1,0]\cup [3,\infty )"),
        (r"\frac \pi4", r"\frac{\pi}{4}"),
        (r"\sqrt\pi", r"\sqrt{\pi}"),
    ],
)
def test_one_spelling(written: str, spelled: str) -> None:
    assert plain(written) == spelled


@given(st.text(alphabet="\\{}$ab1½²√\n,.") | st.text())
def test_any_text_has_a_spelling(text: str) -> None:
    assert plain(text) == plain(text).strip()


def test_braces_that_do_not_match_are_kept_or_dropped_but_never_an_error() -> None:
    assert plain(r"\text{a}}b{") == "a }b{"
    assert plain("{" * 10_000 + "5" + "}" * 10_000).count("{") == 10_000


def test_compact_is_without_spaces() -> None:
    assert compact(" a \n b ") == "ab"
