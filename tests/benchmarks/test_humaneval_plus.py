import gzip
import json
from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError, RunError
from prmkit.grade import grader_for
from prmkit.tree import Case

STUB = 'def f(x):\n    """Twice.\n    >>> f(2)\n    4\n    """\n'
RICH = {
    "task_id": "HumanEval/0", "prompt": STUB, "entry_point": "f", "canonical_solution": "    return 2 * x\n",
    "base_input": [[1]], "plus_input": [[-1], [10**20]], "atol": 0, "test": "", "contract": "",
}  # fmt: skip
HUB = {
    "task_id": "HumanEval/0", "prompt": STUB, "entry_point": "f", "canonical_solution": "    return 2 * x\n",
    "test": "def check(candidate):\n    assert candidate(1) == 2\n    assert candidate(5) == 10\n",
}  # fmt: skip


def write(path: Path, row: dict[str, object]) -> Path:
    path.write_text(json.dumps(row))
    return path


def test_the_rich_form_keeps_integers_of_any_size(tmp_path: Path) -> None:
    (problem,) = load("humaneval-plus", path=write(tmp_path / "a.jsonl", RICH))
    assert problem.tests == (
        Case(input="[1]", public=True), Case(input="[-1]"), Case(input='[{"$int": "0x56bc75e2d63100000"}]')
    )  # fmt: skip
    assert (problem.rule, problem.reference, problem.stub) == ("evalplus", STUB + "    return 2 * x\n", STUB)


@pytest.mark.parametrize("row", [RICH, HUB])
def test_both_forms_judge_alike(tmp_path: Path, row: dict[str, object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRMKIT_CACHE", str(tmp_path / "cache"))
    (problem,) = load("humaneval-plus", path=write(tmp_path / "a.jsonl", row))
    grader = grader_for("code")
    programs = grader.answers(
        problem, ["    return x + x\n", "    return abs(x) + 1\n", "```python\ndef f(x): return 2 * x\n```"]
    )
    assert grader.correct(problem, programs) == [True, False, True]
    assert grader.classes(problem, programs) == [0, 0 if row is RICH else 1, 0]  # public: 1, or the docstring's 2


def test_a_bad_row_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.jsonl:1: illegal base_input"):
        load("humaneval-plus", path=write(tmp_path / "a.jsonl", {**RICH, "base_input": "[]"}))
    with pytest.raises(InputError, match="the row has no entry_point"):
        load("humaneval-plus", path=write(tmp_path / "a.jsonl", {**RICH, "entry_point": ""}))
    with pytest.raises(InputError, match=r"a\.jsonl:1: illegal atol, got 'small'"):
        load("humaneval-plus", path=write(tmp_path / "a.jsonl", {**RICH, "atol": "small"}))


def test_the_release_is_downloaded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def download(url: str, out: Path) -> None:
        asked.append(url)
        out.write_bytes(gzip.compress(json.dumps(RICH).encode()))

    monkeypatch.setenv("PRMKIT_CACHE", str(tmp_path))
    monkeypatch.setattr("prmkit.download.download", download)
    assert load("humaneval-plus") == load("humaneval-plus")
    assert asked == [
        "https://github.com/evalplus/humanevalplus_release/releases/download/v0.1.10/HumanEvalPlus.jsonl.gz"
    ]


def test_a_download_that_fails_points_to_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def download(url: str, out: Path) -> None:
        raise RunError("no route")

    monkeypatch.setenv("PRMKIT_CACHE", str(tmp_path))
    monkeypatch.setattr("prmkit.download.download", download)
    with pytest.raises(InputError, match=r"cannot download the file \(no route\)\. Download it elsewhere"):
        load("humaneval-plus")


@pytest.mark.realdata
def test_the_real_files(data_dir: Path) -> None:
    rich = load("humaneval-plus", path=data_dir / "humanevalplus" / "HumanEvalPlus.jsonl.gz")
    hub = load("humaneval-plus", path=data_dir / "humanevalplus" / "HumanEvalPlus-OriginFmt.jsonl.gz")
    assert [problem.id for problem in rich] == [problem.id for problem in hub]
    counts = [sum(case.public is public for problem in rich for case in problem.tests) for public in (True, False)]
    assert (len(rich), *counts) == (164, 1570, 122683)
    assert all(problem.rule == "asserts" for problem in hub)
    # The hub's own tests accept the reference and refuse a stub.
    grader = grader_for("code")
    for problem in hub[::41]:
        assert grader.correct(problem, [problem.reference, f"def {problem.entry_point}(*a): return None"]) == [
            True,
            False,
        ]
