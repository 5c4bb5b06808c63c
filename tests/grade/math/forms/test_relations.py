import pytest

from prmkit.grade.math.forms.reading import read
from tests.grade.math.forms.shown import shown


@pytest.mark.parametrize(
    ("answer", "form"),
    [
        ("x=5", "x: 5"),
        ("f(x)=2x", "f(x): 2x"),
        ("x^2+y^2=13", "x^2+y^2=13"),
        ("2y=4x", "2y=4x"),
        ("x=1,y=2", "record[x: 1 y: 2]"),
        ("x=1 or x=2", "x: list[1 2]"),
        ("n=2,3,4", "n: list[2 3 4]"),
        ("1<x<2", "x: ()[1 2]"),
        ("0<x", r"x: ()[0 \infty]"),
        (r"\{x\mid x<1\}", r"x: ()[-\infty 1]"),
        (r"\{n\mid n \text{ is even}\}", r"\{n| n is even \}"),
        (r"\frac{1}{3}=0.333\ldots", "1/3"),
        ("5=6", "5=6"),
        ("5=x", "x: 5"),
        (r"\angle ABC = 60^\circ", r"\angleABC: 60 degree^1"),
        ("3>=x>1", "x: (][1 3]"),
        ("x=y+1=3", "x: 3"),
        (r"x \approx 3.14", "x: 157/50"),
        (r"\pi \approx 3.14", r"\pi"),
    ],
)
def test_relations(answer: str, form: str) -> None:
    assert shown(read(answer)) == form
