from prmkit.errors import InputError, InputErrors


def test_a_message_says_where_what_got_expected_and_cure() -> None:
    error = InputError("bad key", where="a.yaml:3", got="lrr", expected="lr", cure="Write lr.")
    assert str(error) == "a.yaml:3: bad key, got 'lrr'; expected lr. Write lr."


def test_a_long_value_is_shortened_to_eighty_characters() -> None:
    message = str(InputError("bad", got="x" * 1000))
    assert message == "bad, got '" + "x" * 76 + "..."


def test_names_of_columns_are_shown_whole() -> None:
    names = [f"column_{number}" for number in range(20)]
    assert str(InputError("bad", got=names)) == f"bad, got {names!r}"
    assert len(str(InputError("bad", got=["x" * 50] * 20))) < 100


def test_a_value_that_python_cannot_write_does_not_hide_the_error() -> None:
    nested: list[object] = []
    for _ in range(100_000):
        nested = [nested]
    for value in (10**5000, nested):
        name = type(value).__name__
        assert str(InputError("bad", got=value)) == f"bad, got {name} that cannot be shown"


def test_several_errors_stand_one_a_line() -> None:
    both = InputErrors([InputError("one"), InputError("two", got=None)])
    assert str(both) == "one\ntwo, got None"
    assert both.exit_code == 2
