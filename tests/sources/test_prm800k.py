from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.sources import Corpus
from prmkit.sources.prm800k import tree_of
from prmkit.tree import StepTree


def step(*ratings: int | None, chosen: int | None = None, human: str | None = None) -> dict[str, Any]:
    return {
        "completions": [{"text": f"option {index}", "rating": rating} for index, rating in enumerate(ratings)],
        "human_completion": human and {"text": human, "rating": None, "source": "human", "flagged": False},
        "chosen_completion": chosen,
    }


def row(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    question = {"problem": "p", "ground_truth_answer": "29"}
    return {"question": question, "label": {"steps": list(steps), "finish_reason": "solution"}, **more}


def tree(*steps: dict[str, Any], **options: Any) -> StepTree:
    found = tree_of(row(*steps), "f:1", **options)
    assert found is not None
    return found


def values(found: StepTree) -> list[float | None]:
    return [node.label.value if node.label else None for node in found]


def test_alternatives_are_siblings_and_the_chosen_one_goes_on() -> None:
    found = tree(step(-1, 1, chosen=1), step(1, chosen=0))
    assert [node.parent for node in found] == [-1, -1, 1]
    assert values(found) == [0.0, 1.0, 1.0]
    assert found.problem.answer == "29"


def test_what_a_person_wrote_is_right_and_goes_on() -> None:
    found = tree(step(-1, -1, human="by hand"), step(1, chosen=0))
    assert [node.text for node in found] == ["option 0", "option 1", "by hand", "option 0"]
    assert [node.parent for node in found] == [-1, -1, -1, 2]
    assert values(found) == [0.0, 0.0, 1.0, 1.0]


@pytest.mark.parametrize(("neutral", "value"), [("positive", 1.0), ("negative", 0.0), ("soft", 0.5), ("drop", None)])
def test_neutral_means_what_the_recipe_says(neutral: str, value: float | None) -> None:
    assert values(tree(step(0, -1, None, 1), neutral=neutral)) == [value, 0.0, None, 1.0]


def test_the_tree_ends_where_the_labeller_gave_up() -> None:
    nothing = {"completions": None, "human_completion": None, "chosen_completion": None}
    assert len(tree(step(1, chosen=0), nothing)) == 1
    assert tree_of(row(nothing), "f:1") is None


def test_a_step_with_the_answer_ends_its_solution() -> None:
    last = step(1, 1, chosen=1)
    last["completions"][1]["text"] = "So it is 29.\n\n# Answer\n\n29"
    found = tree(last)
    assert [found.finished(node) for node in (0, 1)] == [False, True]


def test_rows_that_tested_the_labellers_are_left_out_unless_asked_for() -> None:
    for kind in ("is_quality_control_question", "is_initial_screening_question"):
        one = row(step(1, chosen=0), **{kind: True})
        assert tree_of(one, "f:1") is None
        assert tree_of(one, "f:1", screening=True) is not None


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (row(step(-1), step(1, chosen=0)), "step 1 follows one of which nothing was chosen"),
        (row(step(1, chosen=3)), "no such chosen completion, got 3"),
        (row(step(2, chosen=0)), "illegal rating"),
        (row(step(True, chosen=0)), "illegal rating"),
        ({"question": {"problem": "p"}}, "illegal label"),
    ],
)
def test_a_row_that_breaks_the_form(bad: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=f"f:1.*{message}"):
        tree_of(bad, "f:1")


def test_an_unknown_meaning_of_neutral() -> None:
    with pytest.raises(InputError, match="unknown meaning of neutral, got 'maybe'"):
        tree_of(row(), "f:1", neutral="maybe")  # type: ignore[arg-type]


@pytest.mark.realdata
def test_the_real_rows(data_dir: Path) -> None:
    corpus = Corpus("prm800k", str(data_dir / "prm800k_raw"))
    trees = list(corpus)
    assert (corpus.counts.read, corpus.counts.kept, corpus.counts.filtered) == (6, 5, 1)
    pencils = trees[0]
    # By hand: 1 completion; 5 wrong ones and the person's; 1; 1; 1; 5 of which the last was chosen.
    assert values(pencils) == [1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    assert [pencils.finished(leaf) for leaf in pencils.leaves()[-2:]] == [True, True]
    assert trees[-1].meta["finish_reason"] == "give_up"
