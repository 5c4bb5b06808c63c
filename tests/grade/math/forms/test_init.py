from fractions import Fraction

from prmkit.grade.math.forms import Choice, Group, Named, Number, Quantity, Text, TimeOfDay, detail, numbers
from prmkit.grade.math.forms.reading import read
from prmkit.grade.math.units import Unit

FIVE = Number(Fraction(5))


def test_what_says_more_has_more_detail() -> None:
    quantity = Quantity(FIVE, Unit((("length", 1),)), "5 m")
    assert detail(FIVE) < detail(quantity) < detail(Named("x", quantity, "x=5 m"))
    assert detail(Choice("C")) < detail(Choice("C", FIVE))
    assert detail(Number(Fraction(1, 3))) > detail(Number(Fraction(333333, 10**6), Fraction(1, 10**6)))
    assert detail(Group("list", (FIVE, FIVE), "5,5")) < detail(Group("tuple", (FIVE, FIVE), "(5,5)"))
    assert detail(TimeOfDay(4, 30)) < detail(TimeOfDay(4, 30, "pm"))
    assert detail(Text("a")) == detail(Text("b"))


def test_the_numbers_that_a_form_consists_of() -> None:
    for same in ("1,2", "(2,1)", r"\{1,2\}", "[1,2)", "x=1,y=2", r"\begin{pmatrix}1\\2\end{pmatrix}", "1 < x < 2"):
        assert numbers(read(same)) == {1, 2}
    for open_one in ("1,x", "1 cm", "(C) 1", "0.333333", r"(0,1)\cup(1,2)", "one or none", r"\sqrt2"):
        assert numbers(read(open_one)) is None
