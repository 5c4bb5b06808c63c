import pytest

from prmkit.grade.math.latex_text import braced_fractions, stacked, strip_text


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("\\frac12", "\\frac{1}{2}"),
        ("\\frac1{72}", "\\frac{1}{72}"),
        ("\\frac{1}2", "\\frac{1}2"),  # as there
        ("\\tfrac{1}{2}+\\dfrac34x", "\\frac{1}{2}+\\frac{3}{4}x"),
        ("\\frac1", "\\frac1"),  # cut: all stays as it was
        ("\\frac12+\\frac1", "\\frac12+\\frac1"),
        ("\\sqrt3+\\sqrt{2}", "\\sqrt{3}+\\sqrt{2}"),
        ("1+\\sqrt", "1+\\sqrt"),
        ("0.5", "\\frac{1}{2}"),
        (".5", "\\frac{1}{2}"),
        ("3/4", "\\frac{3}{4}"),
        ("-3/4", "\\frac{-3}{4}"),
        ("1/2/3", "1/2/3"),
        ("03/4", "03/4"),
        ("a/4", "a/4"),
        ("x = 5", "5"),
        ("k=1=1", "k=1=1"),
        ("x+y=5", "x+y=5"),  # only a short name is dropped
        ("10\\text{ cm}", "10"),
        ("\\text{ yes }", "yes"),
        ("\\text{a} b", "\\text{a}b"),
        ("50\\%", "50"),
        ("50%", "50%"),  # only with a backslash, as there
        ("5\\text{ h }30\\text{ min}", "5\\text{ h }30\\text{ min}"),  # two units: all stays as it was
        ("x = 5 + \\frac", "x = 5 + \\frac"),  # and so with a fraction of nothing
        ("\\$1.50", "1.50"),
        ("90^\\circ", "90"),
        ("90^{\\circ}", "90"),
        ("\\left( 1, 2 \\right)", "(1,2)"),
        ("1\\!000", "1000"),
        ("  1\n+ 2 ", "1+2"),
        ("", ""),
    ],
)
def test_every_answer_has_one_spelling(answer: str, text: str) -> None:
    assert strip_text(answer) == text


def test_the_other_grader_takes_the_same_spelling_of_fractions_and_stacks_roots_too() -> None:
    assert braced_fractions("\\frac12+\\frac") == "\\frac12+\\frac"
    assert stacked("\\sqrt{3}/2") == "\\sqrt{3}/2"
    assert stacked("\\sqrt{3}/2", roots=True) == "\\frac{\\sqrt{3}}{2}"
