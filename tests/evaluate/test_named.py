import pytest

from prmkit.errors import InputError
from prmkit.evaluate.named import Named
from prmkit.tree import Problem

MBPP, CONTEST = Problem(id="Mbpp/2", prompt="Add two."), Problem(id="livecodebench/abc300_a", prompt="Read a number.")
WORDS = [Problem(id=f"gsm8k-test-{number}", prompt=f"How many of {number}?", answer="1") for number in range(3)]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"id": "Mbpp/2"}, MBPP),
        ({"task_id": "2", "prompt": "Task: Add two. Answer:"}, MBPP),
        ({"question_id": "abc300_a"}, CONTEST),
        ({"idx": 1}, WORDS[1]),
        ({"idx": 0, "question": "How  many of 0?"}, WORDS[0]),
        ({"question": " How many of 1?\n"}, WORDS[1]),
        ({"id": "theirs", "question": "How many of 1?"}, WORDS[1]),
    ],
)
def test_a_problem_is_named_by_its_id_a_short_form_of_it_or_its_text(row: dict[str, object], found: Problem) -> None:
    assert Named([MBPP, CONTEST, *WORDS[:2]]).find(row, "f:1") == found


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ({"id": "Mbpp/3"}, "the benchmark has no such problem, got 'Mbpp/3'"),
        ({"id": "2"}, "the benchmark has no such problem, got '2'"),  # Mbpp/2 or gsm8k-test-2
        ({"text": "Add two."}, r"the row names no problem, got \['text'\]"),
        ({"idx": 1, "question": "How many of 2"}, "the benchmark's gsm8k-test-1 is another problem, got 'How many of"),
    ],
)
def test_what_names_no_problem_or_two_is_told(row: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=f"^f:1: {message}"):
        Named([MBPP, *WORDS]).find(row, "f:1")


def test_without_a_benchmark_there_is_nothing_to_name() -> None:
    assert not Named([])
    assert Named(WORDS)
