import base64
import json
import pickle
import zlib
from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.benchmarks.livecodebench import _release_files
from prmkit.errors import InputError
from prmkit.grade import grader_for

TESTS = [{"input": "1\n", "output": "2\n", "testtype": "stdin"}]
ROW = {
    "question_id": "1_A",
    "question_content": "Double it.",
    "platform": "codeforces",
    "contest_date": "2024-08-21T00:00:00",
    "difficulty": "easy",
    "starter_code": "",
    "public_test_cases": json.dumps(TESTS),
    "private_test_cases": "[]",
    "metadata": "{}",
}


def packed(content: object) -> str:
    return base64.b64encode(zlib.compress(pickle.dumps(content))).decode()


def write(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_private_tests_are_unpacked_and_hidden(tmp_path: Path) -> None:
    hidden = [{"input": "3\n", "output": "6\n", "testtype": "stdin"}]
    path = write(tmp_path / "a.jsonl", {**ROW, "private_test_cases": packed(json.dumps(hidden))})
    (problem,) = load("livecodebench", path=path)
    assert [(case.input, case.output, case.public) for case in problem.tests] == [
        ("1\n", "2\n", True),
        ("3\n", "6\n", False),
    ]
    assert (problem.id, problem.entry_point, problem.level, problem.subject) == (
        "livecodebench/1_A",
        None,
        "easy",
        "codeforces",
    )
    assert grader_for("code").correct(problem, ["print(2 * int(input()))", "print(2)"]) == [True, False]


def test_a_function_takes_one_argument_a_line(tmp_path: Path) -> None:
    row = {
        **ROW, "metadata": '{"func_name": "add"}', "starter_code": "class Solution:\n    def add(self, a, b):",
        "public_test_cases": json.dumps([{"input": "[1, 2]\n\"x\"", "output": "3", "testtype": "functional"}]),
    }  # fmt: skip
    (problem,) = load("livecodebench", path=write(tmp_path / "a.jsonl", row))
    assert (problem.entry_point, problem.tests[0].input) == ("add", '[[1, 2], "x"]')
    assert grader_for("code").correct(problem, ["class Solution:\n    def add(self, a, b): return sum(a)"]) == [True]


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('the pickle ran code')",))


@pytest.mark.parametrize(
    ("tests", "message"),
    [
        (packed(Bomb()), r"cannot be unpacked \(the pickle asks for builtins.exec\)"),
        (packed(Path("x")), "the pickle asks for pathlib"),
        (packed([1]), "expected the pickle of a text"),
        (packed("{}"), "illegal tests"),
        ("no base64!", "cannot be unpacked"),
        (None, "illegal tests"),
        ('[{"output": "x"}]', "illegal test"),
    ],
)
def test_hostile_or_broken_tests_are_input_errors(tmp_path: Path, tests: object, message: str) -> None:
    path = write(tmp_path / "a.jsonl", {**ROW, "private_test_cases": tests})
    with pytest.raises(InputError, match=message):
        load("livecodebench", path=path)


def test_a_bomb_of_zeros_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prmkit.benchmarks.livecodebench._MOST_BYTES", 1000)
    path = write(tmp_path / "a.jsonl", {**ROW, "private_test_cases": packed("[" + " " * 5000 + "]")})
    with pytest.raises(InputError, match="more than 1000 bytes"):
        load("livecodebench", path=path)


def test_dates_make_a_window_and_both_ends_are_in_it(tmp_path: Path) -> None:
    rows = [
        {**ROW, "question_id": day, "contest_date": f"{day}T09:00:00"}
        for day in ("2024-07-31", "2024-08-01", "2025-02-01")
    ]
    path = write(tmp_path / "a.jsonl", *rows)
    within = load("livecodebench", path=path, start="2024-08-01", end="2025-02-01")
    assert [problem.id for problem in within] == ["livecodebench/2024-08-01", "livecodebench/2025-02-01"]
    assert [problem.id for problem in load("livecodebench", path=path, limit=1)] == ["livecodebench/2024-07-31"]
    with pytest.raises(InputError, match="not a day, got 'soon'"):
        load("livecodebench", path=path, start="soon")


def test_releases_are_files() -> None:
    assert _release_files("release_v1") == ["test.jsonl"]
    assert _release_files("release_v3") == ["test.jsonl", "test2.jsonl", "test3.jsonl"]
    assert _release_files("release_latest")[-1] == "test6.jsonl"
    assert _release_files("v5") == ["test5.jsonl"]
    assert _release_files("v4_v5") == ["test4.jsonl", "test5.jsonl"]
    with pytest.raises(InputError, match="unknown release"):
        _release_files("release_v9")


@pytest.mark.realdata
def test_a_real_row(data_dir: Path) -> None:
    (problem,) = load("livecodebench", path=data_dir / "livecodebench" / "kaggle_sample_row_1873_A.jsonl")
    assert {case.public for case in problem.tests} == {True, False}
    right = (
        "for _ in range(int(input())):\n    s = input()\n"
        "    print('YES' if sum(a != b for a, b in zip(s, 'abc')) <= 2 else 'NO')"
    )
    assert grader_for("code").correct(problem, [right, "print('YES')"]) == [True, False]
