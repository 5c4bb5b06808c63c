import pytest

from prmkit.grade.math.declarations import declared, declared_behind, declares


@pytest.mark.parametrize(
    "text",
    [
        "The answer is 5",
        "The answer is 5.",
        "the answer is: 5",
        "THE ANSWER IS 5",
        "So the final answer is therefore 5.",
        "The answer, then, is 5.",
        "The answer to the second question is 5.",
        "The answer we get is 5.",
        "The answer should be 5.",
        "The answer comes out to 5.",
        "The answer turns out to be 5.",
        "The answer would then be 5.",
        "The answer's 5.",
        "This gives an answer of 5.",
        "The answer is approximately 5.",
        "The answer is equal to 5.",
        "The answer is simply the number 5.",
        "The answer is that there are 5.",
        "Answer: 5",
        "Answer = 5",
        "Ans: 5",
        "Answer (in metres): 5",
        "Answer for part (b): 5",
        "Final answer: 5",
        "Final answer → 5",
        "Final answer - 5",
        "Answer：5",
        "最终答案是5。",
        "答案：5",
    ],
)
def test_an_answer_is_declared_in_many_words(text: str) -> None:
    assert declared(f"Working.\n{text}") == "5"


@pytest.mark.parametrize(
    "text",
    [
        "The answer is **5**.",
        "The answer is __5__.",
        "The answer is *5*.",
        "The answer is `5`.",
        'The answer is "5".',
        "The answer is “5”.",
        "**The answer is 5.**",
        "**The answer is 5.** Let me know if you have questions!",
        "**The answer is: 5**",
        "**Answer: 5**",
        "**Answer:** 5",
        "**Answer**: 5",
        "**Answer** 5",
        "***Answer:*** 5",
        "<b>Answer:</b> 5",
        "<b>Answer</b>: 5",
        "[Answer]: 5",
        "_Answer_: 5",
        "### Answer: 5",
        "> Answer: 5",
        r"\textbf{Answer: } 5",
        r"$\text{Answer: } 5$",
        '{"answer": "5"}',
        '{"answer": 5, "steps": 3}',
    ],
)
def test_emphasis_and_the_like_are_no_part_of_it(text: str) -> None:
    assert declared(text) == "5"


@pytest.mark.parametrize(
    "text",
    [
        "The answer is:\n5",
        "The answer is:\n\n\\[\n5\n\\]",
        "The answer is:\n\n$$5.$$\n\nI hope it is correct.",
        "The answer is\n5",
        "The answer is:\n- 5",
        "The answer is:\n> 5",
        "Answer:\n```math\n5\n```",
        "Answer:\r\n5\r\n",
        "===== ANSWER =====\n5",
        "✅ Final Answer\n\n5",
        "### Step 3: Final Answer\n\n5",
        "Answer\n------\n5",
        "\\section*{Answer}\n5",
        "### Final Answer\n\n5",
        "## Answer\n**5**\n\n---\nLet me know!",
        "**Answer**\n\n5",
        "**Answer:**\n\n---\n5",
        "### Answer\nThere are **5** of them in the box, whatever their colours may be, if all are counted once.",
        "### Answer\nThe number of ways is 5.",
    ],
)
def test_it_may_stand_on_the_next_line(text: str) -> None:
    assert declared(text) == "5"


@pytest.mark.parametrize(
    "behind",
    [
        ". I hope it is correct.",
        ".\n\nI hope this answer is correct.",
        ".\nLet me check that the answer is right: 2 + 3 = 5.",
        ", as required.",
        ", which is prime",
        " (see above).",
        " because 2 + 3 = 5",
        " and we are done.",
        " – the number of primes",
        " of them",
        " in total",
        " 🎉",
        " ✅.",
        "!",
        " **",
    ],
)
def test_what_goes_on_behind_it_is_no_part_of_it(behind: str) -> None:
    assert declared(f"The answer is 5{behind}") == "5"


@pytest.mark.parametrize(
    "text",
    [
        "We want the answer.",
        "The answer is not clear.",
        "I hope the answer is correct.",
        "The answer is ____.",
        "Answer:\n\n1. We add.\n2. We divide.",
        "Answer -5",
        "The answer is [answer].",
        r"The answer is $\frac{1",  # cut
        r"The answer is \boxed{5",
        "The answer is\n\n$$5",
        "The answer is",
    ],
)
def test_what_declares_no_value_declares_nothing(text: str) -> None:
    assert declared(text) is None
    assert declared(f"The answer is 5.\n{text}") == "5"


def test_the_last_declaration_counts() -> None:
    assert declared("The answer is 3. So the final answer is $12$.") == "$12$"
    assert declared("Final Answer: The final answer is $5$. I hope it is correct.") == "$5$"


def test_a_sentence_may_end_with_its_declaration() -> None:
    assert declared_behind("Hence x = 5 is the answer.") == "x = 5"
    assert declared_behind("3 fails. Therefore, (B) is the correct answer, I think.") == "(B)"
    assert declared_behind("Therefore, option B is correct.") == "B"
    assert declared_behind("This is the answer.") is None
    assert declared_behind("Thus (C) is correct.") == "(C)"
    assert declared_behind("Check: 2 + 3 = 5 is correct.") is None


def test_a_word_within_another_declares_nothing() -> None:
    assert declares("Answer: 5")
    assert not declares("unanswered: 5")
    assert not declares("she answers slowly")
