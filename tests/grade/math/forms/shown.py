"""Forms in short, for tests: lists as list[1 2], quantities as 5 length^2."""

from prmkit.grade.math.forms import (
    Based,
    Choice,
    Expression,
    Form,
    Group,
    Named,
    Number,
    Quantity,
    Relation,
    Text,
    TimeOfDay,
)


def shown(form: Form | None) -> str:
    """A form in short: lists as list[1 2], quantities as 5 length^2."""
    match form:
        case Number(value):
            return str(value)
        case Expression(text) | Relation(text):
            return text
        case Text(text):
            return repr(text)
        case Choice(letter, text):
            return f"choice {letter}" + (f": {shown(text)}" if text else "")
        case Based(digits, base):
            return f"{digits} base {base}"
        case Quantity(magnitude, unit):
            return shown(magnitude) + "".join(f" {base}^{power}" for base, power in unit.dimension)
        case TimeOfDay(hour, minute, half):
            return f"{hour}:{minute:02}{half}"
        case Group(kind, items):
            return f"{kind}[{' '.join(map(shown, items))}]"
        case Named(name, value):
            return f"{name}: {shown(value)}"
    return "nothing"
