import json
from collections import Counter
from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError
from prmkit.tree import Problem


@pytest.mark.parametrize("level", [2, "2", "Level 2"])
def test_both_forms_of_the_level_are_read(tmp_path: Path, level: object) -> None:
    path = tmp_path / "a.jsonl"
    row = {"problem": "P", "solution": "S", "answer": "\\frac12", "level": level, "unique_id": "test/algebra/1.json"}
    path.write_text(json.dumps(row))
    expected = Problem(id="test/algebra/1.json", prompt="P", answer="\\frac12", level="2")
    assert load("math500", path=path) == [expected]


def test_a_row_without_an_id_is_named_by_its_place_and_one_without_an_answer_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"problem": "P", "answer": "1", "unique_id": "a"}\n{"problem": "P", "answer": "1"}\n')
    assert [problem.id for problem in load("math500", path=path)] == ["a", "math500-1"]
    path.write_text('{"problem": "P", "unique_id": "a", "answer": ""}\n')
    with pytest.raises(InputError, match=r"a\.jsonl:1: the row has no answer"):
        load("math500", path=path)


@pytest.mark.realdata
def test_the_real_file_holds_500_problems_of_five_levels(data_dir: Path) -> None:
    problems = load("math500", path=data_dir / "math500" / "test500.jsonl")
    assert len(problems) == 500
    # The counts by level that the file itself gives (grep -c '"level": "Level 1"' and so on).
    assert Counter(problem.level for problem in problems) == {"1": 43, "2": 90, "3": 105, "4": 128, "5": 134}
    assert problems[0].id == "test/precalculus/807.json"
    assert problems[0].answer == "\\left( 3, \\frac{\\pi}{2} \\right)"
