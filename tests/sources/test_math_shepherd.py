import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.sources.corpus import Corpus
from prmkit.sources.math_shepherd import tree_of
from prmkit.tree import StepTree


def row(marked: str, signs: str) -> dict[str, str]:
    labelled = marked
    for sign in signs:
        labelled = labelled.replace("ки", sign, 1)
    return {"input": marked, "label": labelled, "task": "GSM8K"}


def labels(tree: StepTree) -> list[float | None]:
    return [node.label.value if node.label else None for node in tree]


def test_steps_keep_their_names_and_the_question_stands_alone() -> None:
    tree = tree_of(row("How many? Step 1: One. ки\nStep 2: Two. The answer is: 2 ки", "+-"), "f:1")
    assert tree.problem.prompt == "How many?"
    assert tree.steps(1) == ["Step 1: One.", "Step 2: Two. The answer is: 2"]
    assert labels(tree) == [1.0, 0.0]


def test_a_step_that_ends_in_a_sign_keeps_it() -> None:
    tree = tree_of(row("Why? Step 1: charge is + ки\nStep 2: grade B- ки", "-+"), "f:1")
    assert tree.steps(1) == ["Step 1: charge is +", "Step 2: grade B-"]
    assert labels(tree) == [0.0, 1.0]


def test_a_mark_inside_the_question_labels_nothing() -> None:
    tree = tree_of(row("Mr. Rocky ки went. How far? Step 1: Far. ки", "-+"), "f:1")
    assert tree.problem.prompt == "Mr. Rocky   went. How far?"
    assert (tree.steps(0), labels(tree)) == (["Step 1: Far."], [1.0])


def test_steps_without_a_name_begin_after_the_question_mark() -> None:
    tree = tree_of(row("How many? One plus one. ки\nTwo. ки", "+-"), "f:1")
    assert tree.problem.prompt == "How many?"
    assert tree.steps(1) == ["One plus one.", "Two."]


def test_text_after_the_last_mark_is_a_step_without_a_label() -> None:
    tree = tree_of(row("How many? Step 1: One. ки\nStep 2: cut of", "+"), "f:1")
    assert tree.steps(1) == ["Step 1: One.", "Step 2: cut of"]
    assert labels(tree) == [1.0, None]


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"input": "Q? Step 1: a ки", "label": "Q? Step 1: b +"}, "not input with its marks replaced"),
        ({"input": "Q? Step 1: a ки", "label": "Q? Step 1: a x"}, "illegal marks"),
        ({"input": "Q? Step 1: a ки", "label": "Q? Step 1: a + more"}, "illegal marks"),
        ({"input": "Q. a ки", "label": "Q. a +"}, "no first step"),
        ({"input": "Step 1: a ки", "label": "Step 1: a +"}, "no question"),
        ({"input": "Q? Step 1: a ки"}, "illegal label"),
    ],
)
def test_a_row_that_breaks_the_form(bad: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tree_of(bad, "f:1")


WORDS = st.text(alphabet="ab+-. ", min_size=1, max_size=8).map(str.strip).filter(bool)


@given(st.lists(st.tuples(WORDS, st.sampled_from("+-")), min_size=1, max_size=5))
def test_every_written_solution_reads_back(steps: list[tuple[str, str]]) -> None:
    named = [f"Step {number}: {text}" for number, (text, _) in enumerate(steps, start=1)]
    tree = tree_of(row("Q? " + "\n".join(f"{text} ки" for text in named), "".join(sign for _, sign in steps)), "f:1")
    assert tree.steps(len(steps) - 1) == named
    assert labels(tree) == [float(sign == "+") for _, sign in steps]


def plainly(marked: str, labelled: str) -> tuple[str, list[tuple[str, float | None]]] | None:
    """The question and the labelled steps of a row by definition, one character after the other; None for a bad row."""
    named = re.search(r"(?i)\bstep 1\s*:", marked)
    start = named.start() if named else marked.find("?") + 1
    if not named and not start:
        return None
    steps: list[tuple[str, float | None]] = [("", None)]
    place = signs = 0
    while place < len(marked):
        if marked.startswith("ки", place):
            sign = labelled[place - signs : place - signs + 1]
            if not sign or sign not in "+-":
                return None
            steps[-1] = (steps[-1][0], float(sign == "+"))
            # The mark and what stands before it belong to the question as long as that goes on.
            steps = [*steps, ("", None)] if place > start else [("", None)]
            place, signs = place + 2, signs + 1
        else:
            if marked[place] != labelled[place - signs : place - signs + 1]:
                return None
            steps[-1] = (steps[-1][0] + (marked[place] if place >= start else ""), None)
            place += 1
    if len(labelled) != len(marked) - signs:
        return None
    question = marked[:start].replace("ки", " ").strip()
    read = [(text.strip(), label) for text, label in steps if text.strip()]
    return (question, read) if question and read else None


PIECES = st.lists(
    st.sampled_from(
        ["Step 1:", "step 1 :", "STEP 1\t:", "\u017ftep 1:", "mi\u017fstep 1:", "step 1", " 1", "Step", ":", "ки", "к",
         "и", "?", "+", "-", "\n", " ", "a", "Why?", "Step 2: b "]
    ),
    max_size=12,
).map("".join)  # fmt: skip


@given(
    PIECES, st.lists(st.sampled_from(["+", "-", "+", "-", "", "x", "ки"]), max_size=6), st.sampled_from(["", "", "+"])
)
def test_any_row_is_read_as_by_definition(marked: str, signs: list[str], end: str) -> None:
    parts = marked.split("ки")
    given_signs = [*signs, *["+"] * len(parts)]
    labelled = "".join(part + sign for part, sign in zip(parts[:-1], given_signs, strict=False)) + parts[-1] + end
    expected = plainly(marked, labelled)
    if expected is None:
        with pytest.raises(InputError):
            tree_of({"input": marked, "label": labelled}, "f:1")
        return
    tree = tree_of({"input": marked, "label": labelled}, "f:1")
    assert (tree.problem.prompt, [(node.text, node.label and node.label.value) for node in tree]) == expected


# Read off the seven rows by a person: how the question begins, the sign of each step, how the last step ends.
GOLDEN = [
    ("Janet pays $40/hour", "++++-", "in a year. The answer is: 13520"),
    ("Val cuts a single", "---", "<<8000+8000=16000>>16000. The answer is: 16000"),
    ("Sue is traveling", "--", "from New Orleans. The answer is: 40"),
    ("Grant spends $200.00", "-----", "than Grant The answer is: 900"),
    ("If Buzz bought a pizza", "+----", "52 slices of the pizza. The answer is: 52"),
    ("Marly has ten $20", "--", "$100 bills The answer is: 2.2"),
    ("Running for 2 hours", "---", "for five hours. The answer is: 210"),
]


@pytest.mark.realdata
def test_each_real_row_becomes_the_path_that_a_person_reads_in_it(data_dir: Path) -> None:
    trees = list(Corpus("math-shepherd", str(data_dir / "math_shepherd")))
    assert len(trees) == len(GOLDEN)
    for tree, (question, signs, end) in zip(trees, GOLDEN, strict=True):
        assert tree.problem.prompt.startswith(question)
        assert tree.problem.prompt.endswith("?")
        assert labels(tree) == [float(sign == "+") for sign in signs]
        assert [node.parent for node in tree] == list(range(-1, len(signs) - 1))
        assert all(node.text.startswith(f"Step {number}: ") for number, node in enumerate(tree, start=1))
        assert tree.nodes[-1].text.endswith(end)
