import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.benchmarks import load
from prmkit.errors import InputError
from prmkit.grade.math import equality
from prmkit.grade.math.answers import MathGrader, cheap, is_number, normalise
from prmkit.grade.math.extraction import extract
from prmkit.tree import Problem


def problem(answer: str | None) -> Problem:
    return Problem(id="p", prompt="?", answer=answer)


@given(st.text())
def test_extraction_and_normalisation_take_any_text(text: str) -> None:
    answer = extract(text)
    assert answer is None or answer == answer.strip() != ""
    assert cheap(text, text) == "equal"


@given(st.integers(0, 999), st.integers(0, 4))
def test_leading_zeros_do_not_matter(number: int, zeros: int) -> None:
    assert normalise("0" * zeros + str(number)) == str(number)


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ("073", "73", "equal"),
        ("18.00", "$18$", "equal"),
        ("1,072", "1072", "equal"),
        ("12{,}345.50", "12345.5", "equal"),
        ("-0", "0", "equal"),
        (r"\text{Evelyn}", "Evelyn.", "equal"),
        (r"\dfrac{1}{2}", r"\frac{1}{2}", "equal"),
        (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\frac{\pi}{2})", "equal"),
        (r"90^\circ", "90", "equal"),
        (r"\$18", "18", "equal"),
        ("1,2", "12", None),  # a list of two, not a grouped number
        ("17", "18", "different"),
        ("0.5", "50", "different"),  # no percent leniency
        ("1/2", "0.5", None),
    ],
)
def test_text_decides_what_it_can(one: str, other: str, verdict: str | None) -> None:
    assert cheap(one, other) == cheap(other, one) == verdict


def test_plain_numbers_never_start_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(equality, "_Worker", start)
    grader = MathGrader()
    assert grader.correct(problem("7"), ["7", "8", None, "07.0"]) == [True, False, False, True]
    assert grader.classes(problem("7"), ["8", None, "7", "8.0", "7"]) == [0, None, 1, 0, 1]


@pytest.fixture(scope="module")
def grader():
    grader = MathGrader()
    yield grader
    grader.close()


def test_math_verify_decides_the_rest(grader: MathGrader) -> None:
    # 1/2 = 0.5 = 2/4; (1,2) and (2,1) are different points.
    assert grader.correct(problem(r"\frac12"), ["0.5", "2/4", "0.6"]) == [True, True, False]
    assert grader.correct(problem("(1,2)"), ["(2,1)", "(1, 2)"]) == [False, True]


def test_classes_are_numbered_by_first_appearance_and_ignore_the_gold_answer(grader: MathGrader) -> None:
    answers = ["x+1", "0.5", None, "1+x", r"\frac{1}{2}", "3"]
    assert grader.classes(problem("3"), answers) == [0, 1, None, 0, 1, 2]
    assert grader.classes(problem(None), answers) == [0, 1, None, 0, 1, 2]


def test_equality_is_symmetric_where_math_verify_is_not(grader: MathGrader) -> None:
    # As gold, the inequality refuses the interval; as answer, it is accepted for it. Both mean the same set.
    assert grader.correct(problem("1<x<2"), ["(1,2)"]) == grader.correct(problem("(1,2)"), ["1<x<2"]) == [True]


def test_a_gold_answer_that_does_not_parse_is_an_error(grader: MathGrader) -> None:
    with pytest.raises(InputError, match="gold answer does not parse"):
        grader.correct(problem(r"\ldots"), ["x+1"])
    with pytest.raises(InputError, match="no gold answer"):
        grader.correct(problem(None), ["x+1"])


def test_a_plain_number_is_what_the_shortest_form_covers() -> None:
    assert [is_number(text) for text in ("-3", "3.", ".5", "1e3", "3/4", "")] == [True, True, True, False, False, False]


@pytest.mark.realdata
def test_every_math500_solution_answers_its_gold(data_dir, grader: MathGrader) -> None:
    path = data_dir / "math500" / "test500.jsonl"
    problems = load("math500", path=path)
    solutions = [json.loads(line)["solution"] for line in path.open()]
    right = [
        grader.correct(problem, grader.answers(problem, [solution]))[0]
        for problem, solution in zip(problems, solutions, strict=True)
    ]
    assert len(right) == 500
    assert all(right)  # no exceptions


@pytest.mark.realdata
@pytest.mark.parametrize("relation", ["math-verify", "prm800k"])
def test_the_verdicts_of_gsm8k_model_solutions_are_reproduced(data_dir, relation) -> None:
    grader = MathGrader(relation=relation)
    with gzip.open(data_dir / "gsm8k" / "example_model_solutions_first660.jsonl.gz") as file:
        rows = [json.loads(line) for line in file]
    graded = 0
    for row in rows if relation == "math-verify" else rows[:60]:
        models = [value for value in row.values() if isinstance(value, dict)]
        posed = problem(extract(row["ground_truth"]))
        verdicts = grader.correct(posed, grader.answers(posed, [model["solution"] for model in models]))
        assert verdicts == [model["is_correct"] for model in models]
        graded += len(models)
    grader.close()
    assert graded == (2640 if relation == "math-verify" else 240)


@pytest.mark.realdata
def test_every_math_test_solution_answers_its_gold(data_dir, grader: MathGrader) -> None:
    path = data_dir / "math" / "hendrycks_test_5000.jsonl.gz"
    problems = load("math", path=path)
    with gzip.open(path) as file:
        solutions = [json.loads(line)["solution"] for line in file]
    exceptions = [
        problem.id
        for problem, solution in zip(problems, solutions, strict=True)
        if not grader.correct(problem, grader.answers(problem, [solution]))[0]
    ]
    assert len(problems) == 5000
    assert exceptions == []
