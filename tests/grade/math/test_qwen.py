from pathlib import Path

import pytest

from prmkit.grade.math.qwen import extract, same, stripped
from tests.grade.math.pairs import PAIRS


@pytest.mark.parametrize(("gold", "answer", "verdict"), [(gold, answer, qwen) for gold, answer, _, qwen in PAIRS])
def test_the_verdict_is_that_of_qwens_grader(gold: str, answer: str, verdict: bool) -> None:
    assert same(gold, answer) is verdict


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        ("so \\boxed{\\frac{1}{2}} is it", "\\frac{1}{2}"),
        ("\\boxed{1} and \\boxed{\\{2\\}}", "\\{2\\}"),  # the last, brace-matched
        ("$\\boxed 7$", "7"),
        ("Therefore the answer is 3.", "3"),
        ("The answer is: 4\n\nI hope it helps.", "4"),
        ("The final answer is $5$. I hope it is correct.", "5"),
        ("答案是6", "6"),
        ("16 - 3 = 13", "13"),  # a number that only stands last
        ("1,234 of them", "1234"),
        ("none", None),
        ("", None),
    ],
)
def test_answers_are_extracted_its_own_way(solution: str, answer: str | None) -> None:
    assert extract(solution) == answer


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("$18.00$", "18"),
        ("x=3", "3"),
        ("10\\text{ cm}", "10"),
        ("\\text{Evelyn}s", "Evelyns"),
        ("(-\\infty,\\infty)", "\\mathbb{R}"),
        ("0.5", "0.5"),  # MATH's special case, a half, is not taken over
        ("x+y=3", "x+3"),  # as there: a variable name goes, wherever it stands
        ("0.50", "0.50"),
    ],
)
def test_an_answer_is_stripped_of_what_is_only_written_around_it(text: str, short: str) -> None:
    assert stripped(text) == short


@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [
        ("0.5", "50%", True),
        ("3", "3.0002", True),  # within 1e-4 of it
        ("3", "3.001", False),
        ("B", "(b)", True),
        ("B", "A or C", False),
        ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{bmatrix}1&2\\\\3&2^2\\end{bmatrix}", True),
        ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{pmatrix}1&2\\\\4&3\\end{pmatrix}", False),
        ("\\begin{pmatrix}1&2\\end{pmatrix}", "\\begin{pmatrix}1\\\\2\\end{pmatrix}", False),  # a row, no column
        ("a+b=3", "3-b=a", True),  # both sides moved to one, up to the sign
        ("a+b=3", "a+b=4", False),
        ("y+1", "k=1+y", True),
        ("(1,4)", "(1,2^2)", True),
        ("(1,2,3)", "(1,2)", False),
        ("2\\pi", "6.2832", True),
        ("3", "", False),
    ],
)
def test_answers_in_other_words(gold: str, answer: str, verdict: bool) -> None:
    assert same(gold, answer) is verdict


def test_what_a_model_wrote_is_never_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert not same("3", f"__import__('pathlib').Path({str(made)!r}).touch()")
    assert not made.exists()
