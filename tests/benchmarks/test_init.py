import gzip
import json
import sys
import types
from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError
from prmkit.tree import Problem

ROW = {"problem": "1+1?", "answer": "2", "unique_id": "a", "level": 1}


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_an_unknown_name_is_met_with_the_nearest_legal_one() -> None:
    with pytest.raises(InputError, match=r"unknown benchmark, got 'math50'.*Did you mean math500\?"):
        load("math50")


def test_a_dotpath_loads_other_peoples_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("their_package")
    module.load = lambda *, path, limit, seed, flavour: [  # type: ignore[attr-defined]
        Problem(id=f"{flavour}-{index}-{seed}", prompt="?") for index in range(limit)
    ]
    monkeypatch.setitem(sys.modules, "their_package", module)
    problems = load("their_package:load", limit=2, seed=7, flavour="x")
    assert [problem.id for problem in problems] == ["x-0-7", "x-1-7"]


def test_the_three_file_forms_hold_the_same_problems(tmp_path: Path) -> None:
    rows = [ROW, {**ROW, "unique_id": "b"}]
    lines = write(tmp_path / "a.jsonl", *rows)
    packed = tmp_path / "a.jsonl.gz"
    packed.write_bytes(gzip.compress(lines.read_bytes()))
    array = tmp_path / "a.json"
    array.write_text(json.dumps(rows))
    assert load("math500", path=lines) == load("math500", path=packed) == load("math500", path=array)
    assert [problem.id for problem in load("math500", path=lines, limit=1)] == ["a"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.jsonl", '{"problem": "?"', r"a\.jsonl:1: not JSON"),
        ("a.jsonl", "\n1\n", r"a\.jsonl:2: not a JSON object"),
        ("a.json", "{}", "not a list of rows"),
        ("a.json", '{"a": 1}', r"a\.json:\[0\]: the row has no answer, got \['a'\]"),
        ("a.json", '[{"problem": "?", "unique_id": "a"}]', r"a\.json:\[0\]: the row has no answer"),
        ("a.csv", "x", "unknown kind of file"),
        ("a.jsonl", "", "holds no problem"),
        ("a.jsonl.gz", "no gzip", "not a whole gzip file"),
    ],
)
def test_a_bad_file_is_named_with_its_line(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        load("math500", path=path)


def test_bad_arguments_are_input_errors(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", ROW)
    with pytest.raises(InputError, match="no such file"):
        load("math500", path=tmp_path / "none.jsonl")
    with pytest.raises(InputError, match="illegal limit, got 0"):
        load("math500", path=path, limit=0)
    with pytest.raises(InputError, match=r"unknown option .*colour"):
        load("math500", path=path, colour="red")
    with pytest.raises(InputError, match="reads no file"):
        load("synthetic-math", path=path)


def test_two_problems_of_one_id_are_two_problems(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [ROW, {**ROW, "problem": "2+2?", "answer": "4"}, {**ROW, "unique_id": "a#2"}, ROW]
    path = write(tmp_path / "a.jsonl", *rows)
    problems = load("math500", path=path)
    assert [(problem.id, problem.answer) for problem in problems] == [
        ("a", "2"),
        ("a#2", "4"),
        ("a#2#2", "2"),
        ("a#3", "2"),
    ]
    assert [each.message.removeprefix(f"{path}: ") for each in caplog.records] == [
        "problem 2 has the id of problem 1, 'a'; it is 'a#2' here",
        "problem 3 has the id of problem 2, 'a#2'; it is 'a#2#2' here",
        "problem 4 has the id of problem 1, 'a'; it is 'a#3' here",
    ]


def test_an_unreachable_hub_points_to_path(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def unreachable(*_: object, **__: object) -> None:
        raise ConnectionError("Couldn't reach the Hub")

    monkeypatch.setattr(datasets, "load_dataset", unreachable)
    with pytest.raises(InputError, match=r"cannot load openai/gsm8k .*Couldn't reach.*give the path of its file"):
        load("gsm8k")


def test_rows_of_the_hub_are_read_like_those_of_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    def hub(name: str, config: str | None, *, split: str, streaming: bool) -> list[dict[str, object]]:
        assert (name, config, split) == ("HuggingFaceH4/MATH-500", None, "test")
        return [ROW, {**ROW, "unique_id": "b", "answer": None}]

    monkeypatch.setattr(datasets, "load_dataset", hub)
    assert load("math500", limit=1) == [Problem(id="a", prompt="1+1?", answer="2", level="1")]
    with pytest.raises(InputError, match=r"HuggingFaceH4/MATH-500:test\[1\]: the row has no answer"):
        load("math500")


@pytest.mark.parametrize("name", ["synthetic-math", "synthetic-code"])
def test_generated_problems_follow_from_the_seed(name: str) -> None:
    assert load(name, limit=3, seed=1) == load(name, limit=3, seed=1) != load(name, limit=3, seed=2)
