import pytest

from prmkit.grade.math.forms.reading import read
from tests.grade.math.forms.shown import shown


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        ("5, 5, and 6", "list[5 5 6]"),
        ("C,A,B", "order[choice C choice A choice B]"),
        ("B,D", "list[choice B choice D]"),
        ("Tom, Ann, Bob", "order['Tom' 'Ann' 'Bob']"),
        (r"1\pm\sqrt5, -2", r"list[1+\sqrt{5} 1-\sqrt{5} -2]"),
        ("1,331, 1,728", "list[1331 1728]"),
        ("(1,2)", "tuple[1 2]"),
        ("(x+1)(x-2)", "(x+1)(x-2)"),
        (r"\{1,2\}", "set[1 2]"),
        ("[1,2)", "[)[1 2]"),
        ("[1,2,3]", "list[1 2 3]"),
        (r"(-1,0]\cup[3,\infty)", r"union[(][-1 0] [)[3 \infty]]"),
        (r"\begin{pmatrix}1&2\\3&4\end{pmatrix}", "matrix[matrix[1 2] matrix[3 4]]"),
        (r"\langle 1,2\rangle", "tuple[1 2]"),
        ("(0;-2;0)", "tuple[0 -2 0]"),
        ("p=5,q=2;p=7,q=2", "list[record[p: 5 q: 2] record[p: 7 q: 2]]"),
        ("21, 16 or 11", "list[21 16 11]"),
        ("x<1 or x>3", r"x: union[()[-\infty 1] ()[3 \infty]]"),
    ],
)
def test_several_answers(answer: str, form: str) -> None:
    assert shown(read(answer)) == form
