import time

import pytest

from prmkit.grade.found import Found
from prmkit.grade.math.qwen.extraction import find, is_choice, last_choice
from tests.grade.math.official import rows


def test_answers_are_found_as_the_authors_function_finds_them() -> None:
    facts = rows("qwen/solutions.json")
    assert len(facts) == 360

    def text(found: Found | None) -> str | None:
        return found.text if found else None

    assert [row for row in facts if text(find(row[1], row[0])) != row[2]] == []


@pytest.mark.parametrize(
    ("solution", "answer", "rule"),
    [
        ("The final answer is $5$. I hope it is correct, not \\boxed{6}.", "5", "minerva"),
        ("so \\boxed{\\frac{1}{2}} is it", "\\frac{1}{2}", "box"),
        ("\\boxed{1} and \\boxed{\\{2\\}}", "{2}", "box"),  # the last, brace-matched
        ("$\\boxed 7$", "7", "box"),
        ("cut in \\boxed{\\frac{1}{2}", "\\frac{1}{2}", "box"),
        ("Therefore the answer is 3.", "3", "he answer is"),
        ("The answer is: 4\n\nI hope it helps.", "4Ihopeithelps", "he answer is"),  # all behind it, as there
        ("My final answer is 8/", "8", "final answer is"),
        ("答案是6\n\n7", "6", "答案是"),
        ("16 - 3 = 13", "13", "last number"),
        ("1,234 of them", "1234", "last number"),
        ("The answer is 12<|im_end|>\n3", "12", "he answer is"),
    ],
)
def test_the_first_rule_that_applies_finds_the_answer(solution: str, answer: str, rule: str) -> None:
    assert find(solution) == Found(answer, rule)


@pytest.mark.parametrize("solution", ["none", "", "\\boxed{}", "boxed", "the answer is " + "x" * 2001])
def test_nothing_or_more_than_an_answer_is_none(solution: str) -> None:
    assert find(solution) is None


@pytest.mark.parametrize(
    ("solution", "gold", "answer"),
    [
        ("It is A or B. The answer is (B), since C is wrong.", "A", "B"),  # behind the sentence the first letter
        ("It is A, then B", "A", "B"),  # without a sentence the last
        ("The choice is A.\n\nQuestion: the choice is B", "A", "A"),  # of a run-on text the first paragraph
        ("\\boxed{C}, not A", "A", "C"),
        ("\\boxed{A, C}", "AC", "AC"),
        ("\\boxed{12}", "5", "12"),
        ("\\boxed{12}", "\\text{east}", ""),  # nothing is left of the gold answer, so every answer is right
    ],
)
def test_the_kind_of_the_gold_answer_says_whether_a_choice_is_looked_for(solution: str, gold: str, answer: str) -> None:
    found = find(solution, gold)
    assert found is not None
    assert found.text == answer


def test_choices_are_single_letters() -> None:
    assert [is_choice(text) for text in ("A", "E", "F", "AB", "a", "")] == [True, True, False, False, False, False]
    assert [last_choice(text) for text in ("(b)", "A or C.", "none.", "x/")] == ["B", "C", "none", "x"]


@pytest.mark.parametrize(
    "part", ["\\boxed{", "boxed", "the answer is ", "{", "\n", "9", "-", ".", "\\text{", "答案是", "A "]
)
def test_the_search_is_linear_in_the_text(part: str) -> None:
    start = time.process_time()
    find(part * (200_000 // len(part)), "A")
    assert time.process_time() - start < 2
