from decimal import Decimal

import pytest

from prmkit.grade.math.symbolic import equivalent, region, sides, values


def test_a_number_has_one_value_and_keeps_its_size() -> None:
    found = values(r"\frac{\sqrt{2}}{10^{20}}")
    assert found is not None
    ((real, imaginary),) = found["values"]
    assert abs(Decimal(real) / Decimal("1.4142135623730950488e-20") - 1) < Decimal("1e-19")
    assert imaginary == "0"


@pytest.mark.parametrize(("text", "value"), [("e^{i\\pi}", "-1"), (r"\sqrt{2}-\sqrt{2}", "0"), (r"\cos 60°", "0.5")])
def test_exact_values(text: str, value: str) -> None:
    found = values(text)
    assert found is not None
    ((real, imaginary),) = found["values"]
    assert abs(Decimal(real) - Decimal(value)) < Decimal("1e-30")
    assert abs(Decimal(imaginary)) < Decimal("1e-30")


def test_a_variable_stands_at_the_same_points_in_every_expression() -> None:
    one, other = values("(x+1)(x-1)+y"), values("y-1+x^2")
    assert one is not None
    assert other is not None
    assert [Decimal(real).quantize(Decimal("1e-20")) for real, _ in one["values"]] == [
        Decimal(real).quantize(Decimal("1e-20")) for real, _ in other["values"]
    ]
    assert values("x+1") != values("z+1")
    assert values("2m") != values("2")  # not metres


def test_what_is_no_expression() -> None:
    assert values(r"\ldots") is None
    assert values("7}{") is None  # no part of it either
    assert sides("x+1") is None
    assert not equivalent(r"\ldots", "x<1")


def test_infinity_is_a_value() -> None:
    assert values(r"\infty") == {"values": [["Infinity", "0"]], "name": ""}
    assert values(r"-\infty") == {"values": [["-Infinity", "0"]], "name": ""}


def test_equations_are_known_up_to_a_factor() -> None:
    one, other = sides("2x+4y-3=0"), sides(r"y=-\frac{1}{2}x+\frac{3}{4}")
    assert one is not None
    assert other is not None
    assert [round(float(real), 9) for real, _ in one["values"]] == [
        round(float(real), 9) for real, _ in other["values"]
    ]
    assert sides("x^2+1=0") != sides("x^2+4=0")


def test_sets_and_inequalities_in_either_direction() -> None:
    assert equivalent("1<x<2", "(1,2)")
    assert equivalent("(1,2)", "1<x<2")
    assert equivalent(r"(0,9)\cup(9,36)", r"(0,36)\setminus\{9\}")
    assert not equivalent("(0,1)", "(0,2)")


def test_what_an_inequality_or_a_set_holds_for() -> None:
    assert region("2x>6") == region("x>3") == ["x", ["3.0000000000000000000", "oo", True, True]]
    assert region(r"(0,9)\cup(9,36)")[1:] == region(r"(0,36)\setminus\{9\}")[1:]
    assert region(r"\mathbb{R}") == ["", ["-oo", "oo", True, True]]
    assert region("[0.1,1]") == region(r"[\frac{1}{10},1]")
    assert region("x+1") == []  # no set
    for neither in ("(0,a)", "x+y>3", "x=3", r"\ldots"):
        assert region(neither) is None
