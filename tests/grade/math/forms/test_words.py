import pytest

from prmkit.grade.math.forms.reading import read
from tests.grade.math.forms.shown import shown


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        ("C", "choice C"),
        (r"\textbf{(C)}\ 12", "choice C: 12"),
        ("C: a long text", "choice C: 'a long text'"),
        ("(C)-5", "(C)-5"),
        ("the answer is (B)", "choice B"),
        ("IV", "'IV'"),
        ("ab", "ab"),
        ("yes", "'yes'"),
        ("no", "'no'"),
        ("June 20", "'June 20'"),
        ("all real numbers", r"\mathbb{R}"),
        ("ln x", "ln x"),
        ("5e3+x", "5e3+x"),
    ],
)
def test_words_choices_and_letters(answer: str, form: str) -> None:
    assert shown(read(answer)) == form
