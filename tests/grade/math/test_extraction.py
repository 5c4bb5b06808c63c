import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.grade.math.extraction import extract


@pytest.mark.parametrize(
    ("solution", "answer"),
    [
        (r"so \boxed{3} and then \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"a set $\boxed{\{1, 2\}}$", r"\{1, 2\}"),  # escaped braces do not nest
        (r"\boxed{4} and \boxed{5", "4"),  # the cut one declares nothing
        (r"thus $\boxed 7$", "7"),
        (r"\fbox{8}", "8"),
        (r"\boxed{}", None),
        ("#### 3\nno\n#### 1,072", "1,072"),
        ("We add.\n\n# Answer\n\n29", "29"),
        ("# Answer\n\n\\frac{1}{2}\n\nsome more", r"\frac{1}{2}"),
        ("Step 2.\nThe answer is: 3.5.", "3.5"),
        ("The answer is 3. So the final answer is $12$.", "$12$"),
        ("The answer is 5. I hope it helps.", "5"),
        ("so 3 + 4 = 7\nA: 18", "18"),
        (r"The answer is 4, that is \boxed{5}", "5"),  # the box comes first
        ("The answer is 4.\nNow a check: 9", None),  # not the final sentence
        ("16 - 3 = 13", None),  # a number that only stands last is no answer
        ("", None),
    ],
)
def test_the_declared_answer_and_nothing_else_is_extracted(solution: str, answer: str | None) -> None:
    assert extract(solution) == answer


BALANCED = st.recursive(
    st.sampled_from(["a", "1", " ", ",", r"\{", r"\}", r"\\"]),
    lambda inner: st.lists(inner, max_size=4).map(lambda parts: "{" + "".join(parts) + "}"),
)


@given(BALANCED, BALANCED)
def test_a_box_gives_back_any_balanced_content(one: str, other: str) -> None:
    # Escaped braces do not count, braces that are not escaped nest; what follows the box plays no part.
    content = one + other
    assert extract("x \\boxed{" + content + "} y}") == (content.strip() or None)
