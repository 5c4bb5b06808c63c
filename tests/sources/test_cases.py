"""The tests of a programming problem, in the forms in which corpora have them."""

from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.sandbox import values
from prmkit.sources.cases import asked, cases_of, json_column, literal_arguments, pairs_of
from prmkit.tree import Case


def texts(inputs: list[Any], outputs: list[Any], entry_point: str | None = "f") -> list[tuple[str, str | None]]:
    return [(case.input, case.output) for case in cases_of(inputs, outputs, entry_point, "f:1")]


def test_a_program_reads_and_prints_text_and_a_list_of_lines_is_joined() -> None:
    assert texts(["1 2\n", ["1", "2", ""]], ["3\n", ["3", "Жди"]], None) == [
        ("1 2\n", "3\n"),
        ("1\n2\n", "3\nЖди"),
    ]


def test_a_function_gets_its_arguments_as_a_list_or_as_literals_one_a_line() -> None:
    assert texts([[1, "a"], "2\n[3, None]\nno literal", []], [1, None, {"a": True}]) == [
        ('[1, "a"]', "1"),
        ('[2, [3, null], "no literal"]', "null"),
        ("[]", '{"a": true}'),
    ]


def test_outputs_stay_as_they_are_for_the_rule_to_unwrap() -> None:
    assert texts([[1], [2], [3]], [[3], [[4, 5]], 6]) == [("[1]", "[3]"), ("[2]", "[[4, 5]]"), ("[3]", "6")]
    assert texts(["1"], [["3"]], None) == [("1", "3")]  # of a program, it is its one line


def test_keys_that_spell_numbers_are_numbers_in_the_first_argument_and_in_the_output() -> None:
    (given, out), *_ = texts([[{"1": {"2": "a"}, "-3": 4}, {"5": 6}]], [{"1": 2}])
    assert values.decode(given) == [{1: {"2": "a"}, -3: 4}, {"5": 6}]
    assert values.decode(out or "") == [{1: 2}]  # so that {1: 2} and [{1: 2}] are right
    wrapped = texts([[1], [2], [3], [4]], [[{"1": 2}], [{"1": 2, "a": 3}], {"a": 3}, [4, {"1": 2}]])
    assert [values.decode(out or "") for _, out in wrapped] == [[{1: 2}], [{"1": 2, "a": 3}], {"a": 3}, [4, {"1": 2}]]


def test_numbers_have_any_length_and_floats_any_size() -> None:
    (given, out), *_ = texts([[10**4300, 1e308]], [[-(10**4300), float("inf")]])
    assert values.decode(given) == [10**4300, 1e308]
    assert values.decode(out or "") == [-(10**4300), float("inf")]


def test_what_a_test_means_does_not_depend_on_how_many_are_kept() -> None:
    inputs, outputs = [[1], [2], [3]], [[3], [4], [5, 6]]
    for entry_point, given in (("f", inputs), (None, ["1", "2", "3"])):
        wanted = outputs if entry_point else ["3", "4", "5"]
        whole = cases_of(given, wanted, entry_point, "f:1")
        assert [cases_of(given, wanted, entry_point, "f:1", most=most) for most in range(4)] == [
            whole[:most] for most in range(4)
        ]
    with pytest.raises(InputError, match="differ in number"):
        cases_of(inputs, outputs[:2], "f", "f:1", most=1)


def test_all_cases_are_public_or_the_first() -> None:
    texts = ["1", "2", "3"]
    for public, shown in ((None, [True] * 3), (0, [False] * 3), (1, [True, False, False]), (5, [True] * 3)):
        assert [case.public for case in cases_of(texts, texts, None, "f:1", public=public)] == shown
    assert cases_of(["1"], ["2"], None, "f:1") == [Case(input="1", output="2", public=True)]
    assert cases_of([], [], None, "f:1") == []


@pytest.mark.parametrize(
    ("inputs", "outputs", "entry_point", "message"),
    [
        (["1"], [], None, r"inputs and outputs differ in number, got \(1, 0\)"),
        ([1], ["1"], None, "illegal test, got 1; expected the text that a program reads or prints"),
        (["1"], [None], None, "illegal test, got None"),
        (["a\ud800"], ["1"], None, "a test is not Unicode .*surrogates"),
        ([["1", 2]], ["1"], None, r"illegal test, got \['1', 2\]"),
        ([{"a": 1}], [1], "f", "illegal test input, got .*; expected a list of arguments"),
        ([None], [1], "f", "illegal test input, got None"),
        ([[1]], [float("nan")], "f", "a test is no plain value, got nan; expected what equals itself"),
        ([[1]], [[[float("nan")]]], "f", "a test is no plain value"),
        ([[object()]], [1], "f", "a test is no plain value"),
    ],
)
def test_what_is_no_test_is_named(inputs: list[Any], outputs: list[Any], entry_point: str | None, message: str) -> None:
    with pytest.raises(InputError, match=f"^f:1: {message}"):
        cases_of(inputs, outputs, entry_point, "f:1")


def test_literals_are_python_and_anything_else_is_text() -> None:
    assert literal_arguments("1\n-2.5\n'a'\n[1, {2: 'b'}]\nTrue\nword\n1 2\n") == [
        1, -2.5, "a", [1, {2: "b"}], True, "word", "1 2", ""
    ]  # fmt: skip
    assert literal_arguments("1" + "0" * 5000) == [10**5000]
    # What no row of JSON holds was a text there: parentheses, say.
    assert literal_arguments("()\n(1, 2)\n{1}\n...\nb'a'\n[()]") == ["()", "(1, 2)", "{1}", "...", "b'a'", "[()]"]
    # Nothing is run, and what no parser can read is text too.
    assert literal_arguments("__import__('os')") == ["__import__('os')"]
    assert literal_arguments("-" * 50_000 + "1") == ["-" * 50_000 + "1"]


def test_a_json_column_may_be_empty() -> None:
    assert json_column({"c": None}, "f:1", "c") is json_column({"c": ""}, "f:1", "c") is None
    assert json_column({"c": '{"a": [1, "\\u0416"]}'}, "f:1", "c") == {"a": [1, "Ж"]}
    assert json_column({"c": {"a": 1}}, "f:1", "c") == {"a": 1}
    with pytest.raises(InputError, match=r"^f:1: the row has no c, got \['b'\]; expected c"):
        json_column({"b": ""}, "f:1", "c")


def test_a_json_column_holds_long_integers() -> None:
    assert json_column({"c": "1" + "0" * 5000}, "f:1", "c") == 10**5000
    for illegal in ("7" * 5000 + "x", "7" * 100_001):
        with pytest.raises(InputError, match="c is not JSON"):
            json_column({"c": illegal}, "f:1", "c")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (5, "illegal c, got 5; expected JSON as text"),
        ([], "illegal c"),
        ("{", "c is not JSON"),
        (" ", "c is not JSON"),
        ("[" * 100_000, "c is not JSON"),
    ],
)
def test_a_column_that_is_no_json_is_named(given: object, message: str) -> None:
    with pytest.raises(InputError, match=f"^f:1: {message}"):
        json_column({"c": given}, "f:1", "c")


def test_pairs_are_inputs_outputs_and_perhaps_a_name() -> None:
    assert pairs_of({"inputs": [[1]], "outputs": [2], "fn_name": "f"}, "f:1", "c") == ([[1]], [2], "f")
    assert pairs_of({"inputs": ["1"], "outputs": ["2"]}, "f:1", "c") == (["1"], ["2"], None)
    assert pairs_of(None, "f:1", "c") == ([], [], None)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([], r"illegal c, got \[\]; expected an object with inputs and outputs"),
        ({}, "illegal c, got {}; expected lists of inputs and outputs"),
        ({"inputs": "1", "outputs": ["1"]}, "illegal c"),
        ({"inputs": ["1"], "outputs": None}, "illegal c"),
        ({"inputs": [], "outputs": [], "fn_name": 1}, "illegal fn_name, got 1; expected the name of a function"),
        ({"inputs": [], "outputs": [], "fn_name": "a b"}, "illegal fn_name"),
    ],
)
def test_pairs_of_another_form_are_named(given: object, message: str) -> None:
    with pytest.raises(InputError, match=f"^f:1: {message}"):
        pairs_of(given, "f:1", "c")


def test_a_model_is_asked_below_the_problem() -> None:
    assert asked("Add.", ask=False) == "Add."
    problem, _, request = asked("Add.", ask=True).partition("\n\n")
    assert problem == "Add."
    assert "step by step" in request
    assert "fenced block" in request
