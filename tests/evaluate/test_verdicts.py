import json
from pathlib import Path

from prmkit.evaluate.solutions import Solution, Solutions
from prmkit.evaluate.verdicts import explained_verdicts, verdict_records, write_verdicts
from prmkit.grade.found import Found
from prmkit.tree import Problem

JUDGED = [
    Solutions(
        problem=Problem(id="sum", prompt="?", answer="5"),
        solutions=(
            Solution(text="#### 5.0", answer=0, right=True, found=Found("5.0", "#### x")),
            Solution(text="#### 5", finished=False),
            Solution(text="\\boxed{6.0}", answer=1, found=Found("6.0", "box")),
            Solution(text="?"),
        ),
    ),
    Solutions(
        problem=Problem(id="double", prompt="?", domain="code"),
        solutions=(Solution(text="f = 1", found=Found("f = 1", "block"), right_on_base=True),),
        tells_base=True,
    ),
]
RECORDS = [
    {"problem": "sum", "solution": 0, "found": "5.0", "rule": "#### x", "class": 0, "right": True},
    {"problem": "sum", "solution": 1, "found": None, "rule": None, "class": None, "right": False, "finished": False},
    {"problem": "sum", "solution": 2, "found": "6.0", "rule": "box", "class": 1, "right": False},
    {"problem": "sum", "solution": 3, "found": None, "rule": None, "class": None, "right": False},
    {
        "problem": "double",
        "solution": 0,
        "found": "f = 1",
        "rule": "block",
        "class": None,
        "right": False,
        "right_on_base": True,
    },
]


def test_a_verdict_says_what_was_found_by_which_rule_and_what_became_of_it() -> None:
    assert list(verdict_records(JUDGED)) == RECORDS


def test_a_wrong_answer_is_explained_by_the_texts_that_were_compared() -> None:
    right, unfinished, wrong, none, program = explained_verdicts(JUDGED)
    assert right == {**RECORDS[0], "gold": "5"}
    assert wrong == {**RECORDS[2], "gold": "5", "compared": {"found": "6", "gold": "5"}}
    assert "compared" not in unfinished | none
    assert program == RECORDS[4]


def test_they_are_written_one_a_line_in_the_place_of_what_a_killed_run_left(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.jsonl"
    file.write_text("half")
    write_verdicts(file, JUDGED)
    assert [json.loads(line) for line in file.read_text().splitlines()] == RECORDS
