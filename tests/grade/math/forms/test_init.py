from fractions import Fraction

from prmkit.grade.math.forms import Choice, Group, Named, Number, Quantity, Text, TimeOfDay, detail
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
