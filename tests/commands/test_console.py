from collections.abc import Callable
from typing import Any

import orjson
import pytest
import typer
from typer.testing import CliRunner

from prmkit.commands.console import default_verb, print_record, print_table


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[[], list[str]]:
    return lambda: capsys.readouterr().out.splitlines()


def test_columns_are_aligned_and_nothing_is_cut(printed: Callable[[], list[str]]) -> None:
    long = "x" * 300
    print_table(("name", "value"), [("a", 0.123456789), (long, None), ("b", True)], as_json=False)
    wide = " " * 298
    assert printed() == [f"name{wide}value", f"a{wide}   0.123457", f"{long}  None", f"b{wide}   True"]


def test_a_table_without_rows_is_its_head_and_an_empty_list(printed: Callable[[], list[str]]) -> None:
    print_table(("name", "value"), [], as_json=False)
    assert printed() == ["name  value"]
    print_table(("name", "value"), [], as_json=True)
    assert printed() == ["[]"]


def test_texts_that_a_terminal_would_obey_are_quoted(printed: Callable[[], list[str]]) -> None:
    print_table(("text",), [("plain é",), ("\x1b[31mred",), ("two\nlines",)], as_json=False)
    assert printed() == ["text", "plain é", r"'\x1b[31mred'", r"'two\nlines'"]


RECORD = {
    "run": "runs/mine",
    "accuracy": {"value": 0.5, "stderr": 0.12345, "n": 20},
    "alone": {"value": 1.0, "stderr": None, "n": 1},
    "nothing": {"value": None, "stderr": None, "n": 0},
    "ledger": {"calls": 3, "inner": {"tokens": 1e6}, "empty": {}},
    "rows": [{"rule": "best", "k": 1}, {"rule": "vote", "k": 16}],
    "names": ["a", "b"],
}


def test_a_record_is_tables_and_then_a_pair_a_line(printed: Callable[[], list[str]]) -> None:
    print_record(RECORD, as_json=False)
    assert printed() == [
        "rule  k",
        "best  1",
        "vote  16",
        "",
        "name                 value",
        "run                  runs/mine",
        "accuracy             0.5000 ± 0.1235 (n = 20)",
        "alone                1.0000 (n = 1)",
        "nothing              unknown",
        "ledger.calls         3",
        "ledger.inner.tokens  1e+06",
        "names                ['a', 'b']",
    ]


def test_a_table_of_nested_records_has_a_column_for_each_inner_name(printed: Callable[[], list[str]]) -> None:
    rows = [{"layer": 0, "means": {"a": 0.5, "b": 1}}, {"layer": 1, "means": {"a": 0.25}}]
    print_record({"profile": rows}, as_json=False)
    assert printed()[:3] == ["layer  means.a  means.b", "0      0.5      1", "1      0.25"]


def test_a_record_in_json_is_itself(printed: Callable[[], list[str]]) -> None:
    print_record(RECORD, as_json=True)
    assert orjson.loads("\n".join(printed())) == RECORD


@pytest.mark.parametrize(
    ("arguments", "called"),
    [
        (["runs/mine"], ("samples", "runs/mine", False)),
        (["--json", "runs/mine"], ("samples", "runs/mine", True)),
        (["samples", "runs/mine"], ("samples", "runs/mine", False)),
        (["steps", "rows.json", "--json"], ("steps", "rows.json", True)),
        (["samples", "steps"], ("samples", "steps", False)),  # a path that is called like a verb
        (["stesp"], ("samples", "stesp", False)),
    ],
)
def test_a_first_word_that_is_no_verb_is_an_argument_of_the_default_one(arguments: list[str], called: Any) -> None:
    app = typer.Typer(cls=default_verb("samples"), no_args_is_help=True, rich_markup_mode=None)
    calls = []

    @app.command("samples")
    def samples(path: str, as_json: bool = typer.Option(False, "--json")) -> None:
        calls.append(("samples", path, as_json))

    @app.command("steps")
    def steps(path: str, as_json: bool = typer.Option(False, "--json")) -> None:
        calls.append(("steps", path, as_json))

    assert CliRunner().invoke(app, arguments).exit_code == 0
    assert calls == [called]
    for words in ([], ["--help"]):  # help of the group, not of the default verb
        assert "steps" in CliRunner().invoke(app, words).output
    assert len(calls) == 1
