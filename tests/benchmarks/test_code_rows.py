"""What the readers of code benchmarks share."""

import pytest

from prmkit.benchmarks.code_rows import shown_calls, text_of
from prmkit.errors import InputError


def shown(prompt: str, name: str = "f") -> list[str]:
    return [case.input for case in shown_calls(prompt, name)]


def test_a_text_keeps_its_blanks() -> None:
    assert text_of({"code": "\n\tdef f(): ...\n\n"}, "a:1", "code") == "\n\tdef f(): ...\n\n"
    assert text_of({"code": "π = 3"}, "a:1", "code") == "π = 3"


@pytest.mark.parametrize("row", [{}, {"code": None}, {"code": " \n"}, {"code": ["x"]}])
def test_a_text_that_is_not_there_is_named(row: dict[str, object]) -> None:
    with pytest.raises(InputError, match=r"^a:1: the row has no code, got .*; expected code"):
        text_of(row, "a:1", "code")


def test_calls_are_those_of_examples_and_assertions_each_once_as_public_inputs() -> None:
    prompt = (
        'def f(x, y=0):\n    """Words with f(7) in them.\n\n    >>> f(1)\n    1\n    >>> f(2, y)\n'
        '    >>> f(f(3)) + f(1)\n    4\n    """\n\nassert f(-5, 2) == 0\n    assert abs(f(6)) == f(8) # f(9)\nf(10)\n'
    )
    cases = shown_calls(prompt, "f")
    assert [case.input for case in cases] == ["[1]", "[3]", "[-5, 2]", "[8]", "[6]"]
    assert {(case.output, case.public) for case in cases} == {(None, True)}


@pytest.mark.parametrize(
    ("call", "inputs"),
    [
        ("f()", ["[]"]),
        ("f('ж', [None, True])", ['["\\u0436", [null, true]]']),
        ("f((1, 2), {3})", ['[{"$tuple": [1, 2]}, {"$set": [3]}]']),
        ("f({1: 'a'})", ['[{"$dict": [[1, "a"]]}]']),
        ("f(10**20)", []),  # computed, so no literal
        ("f(x=1)", []),
        ("f(*[1])", []),
        ("f(name)", []),
        ("other.f(1)", []),
        ("g(1)", []),
    ],
)
def test_arguments_are_literals_with_their_types(call: str, inputs: list[str]) -> None:
    assert shown(f">>> {call}\n") == inputs
    assert shown(f"assert {call} == 1") == inputs


def test_an_integer_beyond_64_bits_is_kept() -> None:
    assert shown(f"assert f({2**64}) == 0") == ['[{"$int": "0x10000000000000000"}]']


@pytest.mark.parametrize(
    "bad",
    [
        ">>> f(1\n",
        "assert f(1 == 2",
        "assert f('\0')",
        "  >>> f(1)\n bad indentation",
        "assert f(" + "(" * 300 + "1" + ")" * 300 + ")",
        "assert f(" + "-" * 100_000 + "1)",
        "assert f(1" + "+1" * 20_000 + ")",
    ],
    ids=["open", "assertion", "null byte", "indentation", "brackets", "signs", "sum"],
)
def test_what_no_parser_reads_shows_nothing_and_hides_no_other_call(bad: str) -> None:
    assert shown(f"{bad}\nassert f(2) == 2") == ["[2]"]


def test_a_prompt_may_show_nothing() -> None:
    assert shown("") == shown("Write f.") == []
