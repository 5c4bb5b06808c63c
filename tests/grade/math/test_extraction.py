import itertools
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prmkit.grade.found import Found
from prmkit.grade.math.extraction import RULES, extract, find


@pytest.mark.parametrize(
    ("solution", "answer", "rule"),
    [
        (r"The answer is 4, that is \boxed{5}", "5", "box"),
        ("<answer>The answer is **5**.</answer>", "5", "answer tag"),
        ("<answer> $x = 5$ </answer>", "$x = 5$", "answer tag"),
        ("<final_answer>5</final_answer>, not <answer>6", "5", "answer tag"),
        (r"\boxed{\text{The answer is } 5.}", "5", "box"),
        ("<|begin_of_box|>5<|end_of_box|>", "5", "box"),
        ("#### 3\nno\n#### 1,072", "1,072", "#### x"),
        ("We add.\n\n# Answer\n\n29", "29", "# Answer block"),
        ("# Answer\n\n**29**.", "29", "# Answer block"),
        ("# Answer\n\n1,\n2\n\nsome more", "1,\n2", "# Answer block"),
        ("so 3 + 4 = 7\nThe answer is 17?\nA: 18", "18", "A: line"),
        ("Step 2.\nThe answer is: 3.5.", "3.5", "declaration"),
        ("The answer is 4.\nNow a check: 9", "4", "declaration"),
        ("**Answer:** $\\boxed{5}$", "5", "box"),
        ("So 5 is the answer.", "5", "x is the answer"),
    ],
)
def test_the_first_rule_that_finds_an_answer_counts(solution: str, answer: str, rule: str) -> None:
    assert find(solution) == Found(answer, rule)
    assert extract(solution) == answer
    assert rule in dict(RULES)


def test_the_documented_examples_are_true_and_every_rule_has_one() -> None:
    page = (Path(__file__).parents[3] / "docs" / "benchmarks.md").read_text()
    table = page.partition("| rule | finds | in |")[2].partition("\n\n")[0]
    examples = re.findall(r"^\| `(.+?)` \| `(.+?)` \| `(.+)` \|$", table, re.MULTILINE)
    assert [find(solution) for _, _, solution in examples] == [Found(found, rule) for rule, found, _ in examples]
    rules = re.findall(r"^\| `(.+?)` \|", table, re.MULTILINE)
    assert list(dict.fromkeys(rules)) == list(dict(RULES))


@pytest.mark.parametrize("solution", ["16 - 3 = 13", "", " \n", r"\boxed{5", "The answer is \\boxed{5"])
def test_what_declares_nothing_has_no_answer(solution: str) -> None:
    assert find(solution) is extract(solution) is None  # a number that only stands last is no answer


@pytest.mark.parametrize(
    "line",
    ["#### **5**", "So 2+3=5 #### 5", "> #### 5", "#### \n5", "####5", "#### 5 🎉", "#### 5.", "#### $5", "##### 5"],
)
def test_hashes_may_stand_anywhere_before_their_answer(line: str) -> None:
    assert str(extract(f"Working.\n{line}\n\nI hope it helps.")).strip("$") == "5"


ANSWERS = ("5", "-5", "3.5", "1,000", r"\frac{1}{2}", "x = 5", "(3, 4)", "5 cm", "5 sq. ft.", "(B)", "3 and 4")
WRAPPED = ("{}", "**{}**", "`{}`", '"{}"', "${}$", r"**\({}\)**", r"\[{}\]", "\n$$\n{}\n$$", "\n\n**{}**")
WRAPPED += (r"$\boxed{{{}}}$",)
DECLARED = ("The answer is {}", "**Answer:** {}", "### Final Answer\n\n{}", "**So the correct answer is {}**")
DECLARED += ("答案是{}", "Final Answer: The final answer is {}", "<answer>{}</answer>")
BEHIND = ("", ".", "\n\nI hope it is correct.", ". I hope it is correct.", "<|im_end|>", " 🎉")
BEHIND += (".\n\nQ: 1 + 1?\nThe answer is 2.",)


@pytest.mark.parametrize("answer", ANSWERS)
def test_however_it_is_wrapped_declared_and_followed_the_same_answer_is_found(answer: str) -> None:
    for wrapped, declaration, behind in itertools.product(WRAPPED, DECLARED, BEHIND):
        solution = "Working, 2 + 2 = 4.\n" + declaration.format(wrapped.format(answer)) + behind
        found = re.sub(r"\\[()]|[$.]", "", extract(solution) or "")
        assert found == re.sub(r"[$.]", "", answer), solution


def test_a_line_of_a_list_of_points_is_no_answer() -> None:
    assert extract("Working.\nA: 18") == extract("Working.\n**A:** 18\n\nI hope it helps.") == "18"
    assert extract("A: (0, 0)\nB: (1, 2)\nC: (3, 4)\nThey are on a line.") is None


def test_a_heading_is_no_answer() -> None:
    assert extract("#### Step 1: add\n2 + 5\n#### 2. Check\nIt holds.\n#### Conclusion\nThe answer is 7.") == "7"
    assert extract("#### 3\n\n#### Verification\nIt holds.") == "3"
    assert extract("#### A remark\n2 + 5 is 7.") is None
    assert extract("2 + 5 is 7.\n#### no solution") == "no solution"
    assert extract("2 + 5 is 7.\n#### no solution\n\nI hope it is correct.") == "no solution"
    assert extract("#### 5. I hope it is correct.") == "5"


@pytest.mark.parametrize(
    "end",
    ["<|im_end|>", " </s>", "<|eot_id|>", "<|endoftext|>", "<end_of_turn>", "<｜end▁of▁sentence｜>", "[INST]", "<eos>"],
)
@pytest.mark.parametrize("declaration", ["The answer is 5", "#### 5", r"\boxed{5}", "A: 5", "### Answer\n5"])
def test_what_follows_the_end_of_a_turn_answers_nothing(declaration: str, end: str) -> None:
    assert extract(declaration + end) == "5"
    assert extract(f"{declaration}{end}user\nNow this one.{end}\nThe answer is \\boxed{{9}}.") == "5"


@pytest.mark.parametrize(
    "heading",
    [
        "Question: ",
        "Question 2: ",
        "Q: ",
        "Problem:\n",
        "**Problem:** ",
        "## Problem\n",
        "Human: ",
        "User: ",
        "### Instruction:\n",
        "Example 3:\n",
        "Problem 2. ",
        "New question: ",
        "问题：",
    ],
)
def test_a_problem_that_a_model_goes_on_to_make_up_answers_nothing(heading: str) -> None:
    solution = f"6 * 7 = 42\n#### 42\n\n{heading}What is 4 + 5?\nAnswer: \\boxed{{9}}.\n#### 9"
    assert find(solution) == Found("42", "#### x")
    # A solution may begin with such a heading.
    assert extract(f"{heading}What is 4 + 5?\nSolution: it is 9.\n#### 9") == "9"


def test_a_chat_that_is_written_out_is_read_to_its_first_answer() -> None:
    assert (
        extract("<|im_start|>user\nWhat is 2 + 3?<|im_end|>\n<|im_start|>assistant\nThe answer is 5<|im_end|>") == "5"
    )


@given(st.text(max_size=200))
def test_any_text_is_read(text: str) -> None:
    found = find(text)
    assert found is None or (found.text == found.text.strip() != "")


FRAGMENTS = st.sampled_from(
    [
        *"{}$#*_`\n \\(.5'\"<",
        *("\\boxed{", "\\boxed ", "\\boxed{...} ", "\\boxed{1}, ", "\\fbox", "\\text{", "\\begin{a}", "\\[", "\\("),
        *("answer is ", "The answer: ", "answer to ", "answer (", "answer, ", " is the answer", "答案是", "Answer\n"),
        *("has *ab ", "is *", "and ", "5 ", "<answer>"),
        *("#### ", "#### a\n", "# Answer\n", "# Answer\n\n", "A: ", "Q:", "\nQ:\n", "**", "<|im_end|>", "</answer>"),
    ]
)


@settings(max_examples=40)
@given(st.lists(FRAGMENTS, min_size=1, max_size=4).map("".join))
def test_the_search_is_linear_in_the_text(fragment: str) -> None:
    text = (fragment * 200_000)[:200_000]
    started = time.process_time()
    find(text)
    assert time.process_time() - started < 2  # it takes less than 0.1 s; what is quadratic takes minutes
