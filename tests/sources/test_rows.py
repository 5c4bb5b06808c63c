"""Plain rows under any names."""

import math
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.sources import problem_id
from prmkit.sources.rows import label_of, tree_of
from prmkit.tree import Label, Problem, StepTree
from tests.sources.samples import GOOD_ROWS

ROW = GOOD_ROWS["rows"]


def values(tree: StepTree) -> list[float | None]:
    return [node.label.value if node.label else None for node in tree]


def test_a_row_is_a_path_with_its_labels() -> None:
    problem = Problem(id=problem_id("rows", "1 + 1?"), prompt="1 + 1?", answer="2")
    labels = [Label(value=1.0, source="human"), Label(value=0.5, source="human")]
    assert tree_of(ROW, "f:1") == StepTree.from_steps(problem, ["Add.", "2"], labels)


def test_the_columns_have_the_names_that_one_says() -> None:
    row = {"q": "1 + 1?", "solution": "Add.\n\n2", "gold": 2, "ok": [True, None], "problem": "another"}
    tree = tree_of(row, "f:1", prompt="q", steps="solution", answer="gold", labels="ok", labelled_by="judge")
    assert [node.text for node in tree] == ["Add.", "2"]
    assert (tree.problem.prompt, tree.problem.answer) == ("1 + 1?", "2")
    assert [node.label for node in tree] == [Label(value=1.0, source="judge"), None]


@pytest.mark.parametrize(
    ("text", "step_end", "steps"),
    [
        ("Add.\n\n\n\n 2 \n\n", "\n\n", ["Add.", "2"]),
        ("Add.\n2", "\n\n", ["Add.\n2"]),
        ("Сложи. ки 2 ки", "ки", ["Сложи.", "2"]),
        (" \n\n ", "\n\n", []),
        ("", "\n\n", []),
    ],
)
def test_one_text_is_parted_and_blank_steps_are_passed_over(text: str, step_end: str, steps: list[str]) -> None:
    tree = tree_of({"problem": "p", "steps": text}, "f:1", step_end=step_end)
    assert [node.text for node in tree] == steps


def test_nothing_parts_no_steps() -> None:
    with pytest.raises(InputError, match=r"^f:1: illegal step_end, got ''; expected the text that parts steps"):
        tree_of({"problem": "p", "steps": "a b"}, "f:1", step_end="")


def test_a_list_of_steps_stays_as_it_is() -> None:
    assert [node.text for node in tree_of({"problem": "p", "steps": [" a\n\nb\n", "c"]}, "f:1")] == [" a\n\nb\n", "c"]


@pytest.mark.parametrize("change", [{"steps": None, "labels": None}, {"steps": [], "labels": []}, {"steps": ""}])
def test_a_problem_may_come_alone(change: dict[str, Any]) -> None:
    tree = tree_of({"problem": "1 + 1?"} | change, "f:1")
    assert (len(tree), tree.problem.answer) == (0, None)


@pytest.mark.parametrize(("answer", "text"), [(2.0, "2"), (["$2$", 3], "2, 3"), ("1 + 1 = 2\n#### 2", "2")])
def test_an_answer_has_any_of_the_usual_forms(answer: object, text: str) -> None:
    assert tree_of({"problem": "1 + 1?", "answer": answer}, "f:1").problem.answer == text


def test_labels_may_be_absent() -> None:
    assert values(tree_of({"problem": "p", "steps": ["a", "b"]}, "f:1")) == [None, None]
    assert values(tree_of({"problem": "p", "steps": ["a", "b"], "labels": None}, "f:1")) == [None, None]


@pytest.mark.parametrize(("value", "probability"), [(True, 1.0), (False, 0.0), (0, 0.0), (1, 1.0), (0.25, 0.25)])
def test_a_label_is_a_truth_value_or_a_probability(value: object, probability: float) -> None:
    assert label_of(value, "f:1", "human") == Label(value=probability, source="human")


def test_no_label_is_not_a_label() -> None:
    assert label_of(None, "f:1", "human") is None


@pytest.mark.parametrize("value", [2, -0.1, math.nan, math.inf, "1", "true", [1], {}])
def test_what_is_no_label_is_named(value: object) -> None:
    with pytest.raises(InputError, match=r"^f:1: illegal label, got .*; expected true, false, null, or a number"):
        label_of(value, "f:1", "human")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": [True]}, "labels and steps differ in number, got 1; expected 2 labels"),
        ({"labels": [True, "0.5"]}, "f:1: illegal label, got '0.5'"),
        ({"labels": {"0": True}}, "f:1: illegal labels, got .*; expected list"),
        ({"steps": 5}, "f:1: illegal steps, got 5; expected a text, or a list of texts"),
        ({"steps": ["a", None]}, "f:1: illegal steps"),
        ({"steps": ["a", " "]}, "empty step"),
        ({"steps": None}, "labels and steps differ in number, got 2; expected 0 labels"),
        ({"problem": None}, r"f:1: the row has no problem, got \['answer', .*; expected problem"),
        ({"answer": ""}, "f:1: illegal answer, got ''"),
        ({"answer": {"value": 2}}, "f:1: illegal answer"),
    ],
)
def test_a_row_that_breaks_the_form(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        tree_of(ROW | change, "f:1")
