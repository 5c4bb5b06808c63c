import pytest

from prmkit.benchmarks.math_rows import id_in, problem_in
from prmkit.errors import InputError
from prmkit.tree import Problem


def test_a_row_is_a_problem_under_whatever_names() -> None:
    row = {"Question": "1 + 1?", "expected_answer": 2.0, "difficulty": "hard", "subfield": "Algebra", "idx": 4}
    expected = Problem(id="mine-4", prompt="1 + 1?", answer="2", level="hard", subject="Algebra")
    assert problem_in(row, "f:1", "mine", 0) == expected


@pytest.mark.parametrize(
    ("row", "name"), [({}, "mine-7"), ({"id": "a"}, "a"), ({"id": 3}, "mine-3"), ({"task_id": "mine/3"}, "mine/3")]
)
def test_numbers_stand_behind_the_name_of_the_benchmark(row: dict[str, object], name: str) -> None:
    assert id_in(row, "mine", 7) == name


def test_a_row_without_a_problem_or_an_answer_shows_its_columns() -> None:
    with pytest.raises(InputError, match=r"^f:1: the row has no answer, got \['problem', 'solution'\]; expected ans"):
        problem_in({"problem": "p", "solution": "It is small."}, "f:1", "mine", 0)
    with pytest.raises(InputError, match=r"^f:1: the row has no problem, got \['answer'\]"):
        problem_in({"answer": 1}, "f:1", "mine", 0)
