"""GSM8K: problems with rationales that people wrote."""

from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.sources import problem_id
from prmkit.sources.corpus import Corpus
from prmkit.sources.gsm8k import tree_of
from prmkit.tree import Label, Problem, StepTree
from tests.sources.samples import GOOD_ROWS

ROW = GOOD_ROWS["gsm8k"]


def test_a_problem_comes_without_steps_and_with_its_answer() -> None:
    assert tree_of(ROW, "f:1") == StepTree(
        Problem(id=problem_id("gsm8k", "How many?"), prompt="How many?", answer="2"),
    )


def test_a_gold_rationale_is_a_path_of_right_steps_a_line_each() -> None:
    tree = tree_of(ROW | {"answer": " One and one.\n\n So 1 + 1 = <<1+1=2>>2.\n#### 2\n"}, "f:1", gold=True)
    assert [(node.parent, node.text) for node in tree] == [
        (-1, "One and one."),
        (0, "So 1 + 1 = <<1+1=2>>2."),
        (1, "#### 2"),
    ]
    assert all(node.label == Label(value=1.0, source="human") for node in tree)
    assert tree.problem == tree_of(ROW, "f:1").problem


@pytest.mark.parametrize(
    ("rationale", "answer"),
    [
        ("x\n#### 1,072", "1072"),
        ("x\n#### $5", "5"),
        ("x\n#### -3.50", "-3.5"),
        ("#### 1\nNo:\n#### 2", "2"),
        ("x\nA: 18", "18"),
        ("Ж, 9 ÷ ½\n####18", "18"),
    ],
)
def test_the_answer_is_the_number_that_the_rationale_declares_last(rationale: str, answer: str) -> None:
    assert tree_of({"question": "How many?", "answer": rationale}, "f:1").problem.answer == answer


def test_published_solutions_have_their_rationale_in_another_column() -> None:
    row = {"question": "How many?", "ground_truth": "x\n#### 2", "solution": "x\n#### 3"}
    assert tree_of(row, "f:1").problem.answer == "2"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answer": "One and one.\n####"}, r"the rationale has no answer, got 'One.*; expected a line '#### 72'"),
        ({"answer": "It is 2."}, "the rationale has no answer"),
        ({"answer": 2}, "the rationale has no answer, got '2'"),  # a number is a text without a declaration
        ({"answer": None}, "the row has no answer, got .*; expected answer or ground_truth"),
        ({"answer": []}, "the row has no answer"),
        ({"question": "  "}, "the row has no question"),
    ],
)
def test_a_row_that_breaks_the_form(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"^f:1: {message}"):
        tree_of(ROW | change, "f:1")


@pytest.mark.realdata
def test_every_real_problem_has_its_answer(data_dir: Path) -> None:
    corpus = Corpus("gsm8k", str(data_dir / "gsm8k" / "train.jsonl.gz"))
    assert sum(tree.problem.answer is not None for tree in corpus) == 7473 == corpus.counts.read
