"""MATH, GSM8K, PRMBench and plain rows."""

from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.sources import SOURCES, Corpus
from prmkit.tree import StepTree
from tests.sources.samples import GOOD_ROWS


def tree(name: str, change: dict[str, Any] | None = None, **options: Any) -> StepTree:
    found = SOURCES.load(name)(GOOD_ROWS[name] | (change or {}), "f:1", **options)
    assert isinstance(found, StepTree)
    return found


def values(found: StepTree) -> list[float | None]:
    return [node.label.value if node.label else None for node in found]


@pytest.mark.parametrize(("name", "level"), [("gsm8k", None), ("math", "3")])
def test_a_problem_comes_without_steps_and_with_its_answer(name: str, level: str | None) -> None:
    problem = tree(name).problem
    assert (problem.answer, problem.level, len(tree(name))) == ("2", level, 0)


def test_a_gold_solution_is_a_path_of_right_steps() -> None:
    gsm8k, math = tree("gsm8k", gold=True), tree("math", gold=True)
    assert [node.text for node in gsm8k] == ["One and one.", "So 1 + 1 = <<1+1=2>>2.", "#### 2"]
    assert [node.text for node in math] == ["Add.", "It is $\\boxed{2}$."]
    assert values(gsm8k) + values(math) == [1.0] * 5


def test_prmbench_counts_its_steps_from_one_and_labels_all() -> None:
    assert values(tree("prmbench")) == [1.0, 0.0]
    assert values(tree("prmbench", {"error_steps": []})) == [1.0, 1.0]
    with pytest.raises(InputError, match="an error step names no step, got 3; expected 1 to 2"):
        tree("prmbench", {"error_steps": [3]})


def test_plain_rows_take_the_names_they_are_told() -> None:
    row = {"q": "1 + 1?", "solution": "Add.\n\n2", "gold": 2}
    found = SOURCES.load("rows")(row, "f:1", prompt="q", steps="solution", answer="gold")
    assert ([node.text for node in found], values(found), found.problem.answer) == (["Add.", "2"], [None, None], "2")
    assert values(tree("rows")) == [1.0, 0.5]
    assert len(tree("rows", {"steps": None, "labels": None})) == 0


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("gsm8k", {"answer": "One and one.\n####"}, "the rationale has no answer"),
        ("math", {"solution": "It is 2."}, "the solution has no answer"),
        ("rows", {"labels": [True]}, "labels and steps differ in number"),
        ("rows", {"labels": [True, 2]}, "illegal label, got 2"),
        ("rows", {"steps": 5}, "illegal steps, got 5"),
        ("prmbench", {"error_steps": [True]}, "an error step names no step"),
    ],
)
def test_a_row_that_breaks_the_form(name: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        tree(name, change)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "path", "kept"),
    [("gsm8k", "gsm8k/train.jsonl.gz", 7473), ("math", "math", 5000), ("math", "math500", 500)],
)
def test_every_real_problem_has_its_answer(data_dir: Path, name: str, path: str, kept: int) -> None:
    corpus = Corpus(name, str(data_dir / path))
    assert sum(tree.problem.answer is not None for tree in corpus) == kept == corpus.counts.read


@pytest.mark.realdata
def test_the_one_bad_row_of_prmbench_is_quarantined_with_its_line(data_dir: Path) -> None:
    corpus = Corpus("prmbench", str(data_dir / "prmbench"), max_bad=0.02)
    assert (len(list(corpus)), corpus.counts.quarantined) == (89, 1)
    assert corpus.bad[0]["where"].endswith("circular_test_p1.jsonl:54")
