import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.grade.math.boxes import boxed, is_placeholder


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"so \boxed{3} and then \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"a set $\boxed{\{1, 2\}}$", r"\{1, 2\}"),  # escaped braces do not nest
        (r"\boxed{\boxed{5}}", "5"),
        (r"\boxed {5} or \fbox{8}", "8"),
        (r"\\boxed{5}, escaped once too often", "5"),
        ("boxed{5}, its backslash lost", "5"),
        (r"\boxed{7.}", "7"),
        (r"thus $\boxed 7$", "7"),
        (r"thus $\boxed\pi$ or so", None),  # TeX boxes a command as well; nobody writes it
        (r"thus $\boxed A$", "A"),
        (r"\boxed{4} and \boxed{5", "4"),  # a box that is cut is none
        (r"\boxed{5", None),
        (r"\boxed{\frac{1}{2}", None),
    ],
)
def test_the_last_complete_box_counts(text: str, content: str | None) -> None:
    assert boxed(text) == content


@pytest.mark.parametrize(
    "mention",
    [
        r"I used \boxed{} for it.",
        r"I used `\boxed{ }` for it.",
        r"I used \boxed{...} for it.",
        r"I used \boxed{\ldots} for it.",
        r"I used \boxed{\text{your answer}} for it.",
        r"I used \boxed{answer} for it.",
        r"I used \boxed{[final answer]} for it.",
        r"I used \boxed{?} for it.",
        r"I used \boxed{\text{Insert your answer here}} for it.",
        r"I used \boxed{final\_answer} for it.",
        r"I used \boxed{\square} for it.",
        r"I used \boxed{\phantom{00}} for it.",
        r"I used \boxed for it.",
        r"I used `\boxed`.",
        r"It is in a \boxed, as asked.",
    ],
)
def test_a_box_that_is_only_mentioned_is_none(mention: str) -> None:
    assert boxed(mention) is None
    assert boxed(rf"So \boxed{{5}}. {mention}") == "5"
    assert boxed(rf"{mention} So \boxed{{5}}.") == "5"


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"$x = \boxed{1}$ or $x = \boxed{2}$", "2"),
        (r"\boxed{0.5} or \boxed{\frac12}", r"\frac12"),
        (r"\boxed{41}. No: \boxed{42}.", "42"),
        (r"\boxed{41} and \boxed{42", "41"),
    ],
)
def test_of_several_boxes_the_last_complete_one_counts(text: str, content: str) -> None:
    assert boxed(text) == content


def test_a_placeholder_holds_nothing_that_could_be_an_answer() -> None:
    assert all(
        map(is_placeholder, ("", "...", "…", r"\dots", "____", r"\text{answer}", "<answer>", "the final answer"))
    )
    assert not any(map(is_placeholder, ("5", "x", r"\{\}", r"\emptyset", "no solution", "a" * 100)))


BALANCED = st.recursive(
    st.sampled_from(["a", "1", " ", ",", r"\{", r"\}", r"\\"]),
    lambda inner: st.lists(inner, max_size=4).map(lambda parts: "{" + "".join(parts) + "}"),
)


@given(BALANCED, BALANCED)
def test_a_box_gives_back_any_balanced_content(one: str, other: str) -> None:
    # Escaped braces do not count, braces that are not escaped nest; what follows the box plays no part.
    content = f"1{one}{other}1"
    assert boxed("x \\boxed{" + content + "} y}") == content
