import gzip
import json
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prmkit.benchmarks import load
from prmkit.errors import InputError
from prmkit.grade.math import answers as answers_module
from prmkit.grade.math import equality
from prmkit.grade.math.agreement import DIFFERENT, SAME, Agreement
from prmkit.grade.math.answers import MathGrader, is_number, normalise, on_sight, plain_number
from prmkit.grade.math.equality import Workers
from prmkit.grade.math.extraction import extract
from prmkit.tree import Problem
from tests.grade.math.judged import DIFFERENT as APART
from tests.grade.math.judged import EQUAL


def problem(answer: str | None) -> Problem:
    return Problem(id="p", prompt="?", answer=answer)


@given(st.text())
def test_extraction_and_normalisation_take_any_text(text: str) -> None:
    answer = extract(text)
    assert answer is None or answer == answer.strip() != ""
    assert on_sight(text, text) is SAME


@given(st.integers(0, 999), st.integers(0, 4))
def test_leading_zeros_do_not_matter(number: int, zeros: int) -> None:
    assert normalise("0" * zeros + str(number)) == str(number)


@pytest.mark.parametrize(
    ("one", "other", "verdict"),
    [
        ("073", "73", SAME),
        ("18.00", "$18$", SAME),
        ("1,072", "1072", SAME),
        ("12{,}345.50", "12345.5", SAME),
        ("-0", "0", SAME),
        (r"\text{Evelyn}", "Evelyn.", SAME),
        (r"\dfrac{1}{2}", r"\frac{1}{2}", SAME),
        (r"\left( 3, \frac{\pi}{2} \right)", r"(3,\frac{\pi}{2})", SAME),
        ("1,2", "12", None),  # a list of two, not a grouped number
        ("17", "18", DIFFERENT),
        ("0.5", "50", DIFFERENT),  # no percent leniency
        ("1/2", "0.5", None),
        (r"90^\circ", "90", None),
    ],
)
def test_text_decides_what_it_can(one: str, other: str, verdict: Agreement | None) -> None:
    assert on_sight(one, other) is on_sight(other, one) is verdict


def test_integers_of_any_number_of_digits() -> None:
    grader = MathGrader()
    assert grader.correct(problem(LONG), [LONG, "0" + LONG, LONG[:-1] + "1", LONG[:-1]]) == [True, True, False, False]


LONG = "7" * 200_000


def test_what_needs_no_algebra_never_starts_a_worker(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(*_: object) -> None:
        raise AssertionError("a worker was started")

    monkeypatch.setattr(equality, "_Worker", start)
    grader = MathGrader()
    assert grader.correct(problem("7"), ["7", "8", None, "07.0", "x=7", "7 cm", "(C) 7"]) == [
        True,
        False,
        False,
        *4 * [True],
    ]
    assert grader.classes(problem("7"), ["8", None, "7", "8.0", "7", r"\frac{14}{2}"]) == [0, None, 1, 0, 1, 1]
    towers = [rf"2^{{3^{{{height}^{{9}}}}}}" for height in range(64)]
    assert grader.classes(problem("7"), towers) == list(range(64))


@pytest.fixture(scope="module")
def grader():
    grader = MathGrader(workers=Workers(seconds=60.0, budget=600.0))  # no verdict by the clock
    yield grader
    grader.close()


@pytest.mark.parametrize("kind", EQUAL)
def test_equal_answers(grader: MathGrader, kind: str) -> None:
    wrong = [
        pair for gold, answer in EQUAL[kind] for pair in ((gold, answer), (answer, gold)) if not right(grader, *pair)
    ]
    assert wrong == []


@pytest.mark.parametrize("kind", APART)
def test_answers_that_are_not_equal_on_purpose(grader: MathGrader, kind: str) -> None:
    pairs = [pair for gold, answer in APART[kind] for pair in ((gold, answer), (answer, gold))]
    assert [pair for pair in pairs if right(grader, *pair)] == []


def test_the_documented_examples(grader: MathGrader) -> None:
    """In each cell groups stand between semicolons: the first example of a group with each of the others."""
    rows = re.findall(r"^\| [a-z].* \| (`.*) \| (.*) ?\|$", DOCUMENTED, re.MULTILINE)
    assert len(rows) == 17
    for cells in rows:
        for cell, equal in zip(cells, (True, False), strict=True):
            for group in cell.split("; "):
                first, *others = re.findall(r"`([^`]+)`", group) or [""]
                for other in others:
                    assert right(grader, first, other) is right(grader, other, first) is equal, (first, other)


DOCUMENTED = (
    (Path(__file__).parents[3] / "docs" / "benchmarks.md")
    .read_text()
    .partition("### When two answers are equal")[2]
    .partition("\n### ")[0]
)


def right(grader: MathGrader, gold: str, answer: str) -> bool:
    return grader.correct(problem(gold), [answer])[0]


def test_classes_are_numbered_by_first_appearance_and_ignore_the_gold_answer(grader: MathGrader) -> None:
    answers = ["x+1", "0.5", None, "1+x", r"\frac{1}{2}", "3"]
    assert grader.classes(problem("3"), answers) == [0, 1, None, 0, 1, 2]
    assert grader.classes(problem(None), answers) == [0, 1, None, 0, 1, 2]


@pytest.mark.parametrize(
    ("answers", "classes"),
    [
        (["5", "x=5", "5 cm"], [0, 0, 0]),
        (["5", "x=5", "5 cm", "5 km"], [0, 1, 2, 3]),
        (["C", "(C) 12", "12"], [0, 0, 0]),
        (["35", "0.35", "35%"], [0, 1, 2]),  # which of them is meant?
        (["0.35", "35%", r"\frac{7}{20}"], [0, 0, 0]),
        (["2.5 million", "2500000", r"\$2.5 million", r"\$2,500,000"], [0, 0, 0, 0]),
        (["1 3/4", "13/4", "1.75"], [0, 1, 0]),
    ],
)
def test_who_votes_for_the_same(grader: MathGrader, answers: list[str], classes: list[int]) -> None:
    assert grader.classes(problem(None), answers) == classes


VOTES = [
    "5",
    "5 cm",
    "50 mm",
    "5 km",
    "x=5",
    "0.333333",
    r"\frac13",
    "C",
    "(C) 12",
    "B",
    "x+1",
    "1+x",
    "1,2",
    "2,1",
    "(1,2)",
]


@settings(max_examples=40, deadline=None)
@given(answers=st.permutations(VOTES))
def test_classes_do_not_depend_on_the_order_of_the_answers(grader: MathGrader, answers: list[str]) -> None:
    first = dict(zip(VOTES, grader.classes(problem(None), VOTES), strict=True))
    again = dict(zip(answers, grader.classes(problem(None), answers), strict=True))
    assert {(one, other) for one in VOTES for other in VOTES if first[one] == first[other]} == {
        (one, other) for one in VOTES for other in VOTES if again[one] == again[other]
    }


def test_a_vote_and_a_grade_agree_where_no_answer_may_mean_two_things(grader: MathGrader) -> None:
    answers = ["5 cm", "50 mm", "x=7", "7", "0.333333", r"\frac13", "(C) 12", "C", "x+1", "1+x", "2,1", "1,2", "6"]
    classes = grader.classes(problem(None), answers)
    for gold, label in zip(answers, classes, strict=True):
        assert grader.correct(problem(gold), answers) == [other == label for other in classes]


def test_a_vote_of_many_answers_that_numbers_tell_apart_compares_none_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def agree(*_: object) -> None:
        raise AssertionError("two answers were compared")

    monkeypatch.setattr(answers_module, "agree", agree)
    tuples = [f"({number},{number + 1})" for number in range(500)]
    assert MathGrader().classes(problem(None), tuples) == list(range(500))


def test_a_pair_that_ran_out_of_time_is_different_and_counted() -> None:
    grader = MathGrader(workers=Workers(count=1, seconds=0.5, budget=60.0))
    try:
        slow = r"\sum_{k=1}^{10^{12}}\frac{x}{k^2+x}"
        assert grader.correct(problem("x+1"), [slow, "1+x"]) == [False, True]
        assert grader.timeouts(problem("x+1")) == 1
        assert grader.correct(problem("x+1"), [slow]) == [False]
        assert grader.timeouts(problem("x+1")) == 1  # known
    finally:
        grader.close()


def test_a_gold_answer_that_does_not_parse_is_an_error(grader: MathGrader) -> None:
    with pytest.raises(InputError, match="gold answer does not parse"):
        grader.correct(problem(r"\ldots"), ["x+1"])
    for answers in (["7"], ["no such answer"], [None], []):  # nothing that would need algebra
        with pytest.raises(InputError, match="gold answer does not parse"):
            grader.correct(problem("x^2+"), answers)
    assert grader.correct(problem("x^2+"), ["x^2+", "7"]) == [True, False]  # the same text is the same answer
    with pytest.raises(InputError, match="no gold answer"):
        grader.correct(problem(None), ["x+1"])


@pytest.mark.parametrize(
    ("answer", "number"), [(r"\$18.00", "18"), (r"073^\circ", "73"), ("1,072", "1072"), ("5 cm", None)]
)
def test_the_plain_number_of_a_gold_answer(answer: str, number: str | None) -> None:
    assert plain_number(answer) == number


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


def test_a_preset_grades_in_its_authors_direction_and_votes_in_either() -> None:
    grader = MathGrader(relation="qwen", workers=Workers(count=1, relation="qwen", seconds=60.0, budget=120.0))
    assert grader.correct(problem("B"), ["5, B"]) == [True]  # the last letter of the answer
    assert grader.correct(problem("5, B"), ["B"]) == [False]
    assert grader.classes(problem(None), ["5, B", "B", "x"]) == grader.classes(problem(None), ["B", "5, B", "x"])
    assert grader.classes(problem(None), ["5, B", "B", "x"]) == [0, 0, 1]
    grader.close()


def test_the_preset_qwen_looks_for_a_choice_where_the_gold_answer_is_one() -> None:
    grader = MathGrader(relation="qwen")
    solution = "\\boxed{12}. So the answer is (C) of the five."
    assert grader.answers(problem("C"), [solution]) == ["C"]
    assert grader.answers(problem("12"), [solution]) == ["12"]
