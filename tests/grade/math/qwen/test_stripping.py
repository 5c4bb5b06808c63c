import time

import pytest

from prmkit.grade.math.qwen.stripping import LONGEST, canonical


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("$18.00$", "18"),
        ("\\(18.50\\)", "18.50"),
        ("x=3", "3"),
        ("k = 3", "3"),
        ("ab = 3", "3"),  # as there: ab is a unit
        ("cde = 3", "cde=3"),
        ("12 sq . m", "120"),  # as there: what is left, 12 and a point, is a number
        ("10\\text{ cm}", "10"),
        ("5\\text{ hours and }30\\text{ minutes}", "5"),
        ("\\text{Evelyn} Smith", "EvelynSmith"),
        ("10\\mbox{ cm}", "10"),
        ("10 square units", "10"),
        ("ten", "10"),
        ("\\text{twenty-one}", "21"),
        ("(-\\infty,\\infty)", "\\mathbb{R}"),
        ("(-inf,2]", "(-\\infty,2]"),
        ("2+3j", "2+3i"),
        ("i+j", "i+j"),
        ("0.5", "0.5"),  # MATH's special case, a half, is not taken over
        (".50", "0.50"),
        ("3.000", "3"),
        ("50\\%", "50"),
        ("x+y=3", "x+3"),  # as there: a variable name goes, wherever it stands
        ("\\sqrt3/2", "\\frac{\\sqrt{3}}{2}"),
        ("\\frac12", "\\frac{1}{2}"),
        ("\\left\\{1, 2\\right\\}", "{1,2}"),
        ("\\begin{array}{cc}1&2\\end{array}", "\\begin{pmatrix}1&2\\end{pmatrix}"),
        ("\\begin{bmatrix}1\\end{bmatrix}", "\\begin{pmatrix}1\\end{pmatrix}"),
        ("\\emptyset", "{}"),
        ("90^{\\circ}", "90"),
        ("x \\geq 2", "x\\ge2"),
        ("", ""),
    ],
)
def test_an_answer_is_stripped_of_what_is_only_written_around_it(text: str, short: str) -> None:
    assert canonical(text) == short


@pytest.mark.parametrize("part", ["\\text{", "\\mbox{", "\\begin{array}{", "9", " m", "\\sqrt", "\\frac", "9.", "="])
def test_the_longest_answer_is_stripped_in_no_time(part: str) -> None:
    start = time.process_time()
    canonical(part * (LONGEST // len(part)))
    assert time.process_time() - start < 2
