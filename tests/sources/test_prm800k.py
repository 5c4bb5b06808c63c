from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.sources.corpus import Corpus
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


@pytest.mark.parametrize(("rating", "value"), [(1, 1.0), (0, 0.0), (-1, 0.0), (None, 0.0)])
def test_trl_counts_only_rating_1_as_right(rating: int | None, value: float) -> None:
    assert values(tree(step(rating), neutral="trl")) == [value]


def test_a_step_by_hand_is_kept_beside_a_chosen_one() -> None:
    found = tree(step(1, chosen=0, human="by hand"), step(1, chosen=0))
    assert [(node.text, node.parent) for node in found] == [("option 0", -1), ("by hand", -1), ("option 0", 0)]


# Read off the six rows by a person: the parent of each step, and what its rating means.
GOLDEN = [
    # Pencils: one completion; five wrong ones and the labeller's own; three single ones; five, the last one chosen.
    ([-1, *[0] * 6, 6, 7, 8, *[9] * 5], [1, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1], "solution"),
    # Senate (phase 2): six single ones, then the model's own wrong one and three alternatives, none chosen.
    ([-1, 0, 1, 2, 3, 4, *[5] * 4], [1, 1, 1, 1, 1, 1, 0, 1, 1, 1], "found_error"),
    # Seconds: four single ones, then seven, of which the first is neutral and the second was chosen.
    ([-1, 0, 1, 2, *[3] * 7], [1] * 11, "solution"),
    # Thirty-five students: five single ones; seven, the fourth chosen; the last follows it.
    ([-1, 0, 1, 2, 3, *[4] * 7, 8], [1, 1, 1, 1, 1, 0, 0, 1, 1, 1, 0, 1, 1], "solution"),
    # Tetrahedron: seven single ones; six wrong ones and the labeller's own; then nothing at all.
    ([-1, 0, 1, 2, 3, 4, 5, *[6] * 7], [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 1], "give_up"),
    # Powers of two (it tested a labeller): a chain of twelve.
    ([-1, *range(11)], [1] * 12, "solution"),
]


@pytest.mark.realdata
def test_each_real_row_becomes_the_tree_that_a_person_reads_in_it(data_dir: Path) -> None:
    trees = list(Corpus("prm800k", str(data_dir / "prm800k_raw"), options={"screening": True}))
    assert len(trees) == len(GOLDEN)
    for found, (parents, labels, reason) in zip(trees, GOLDEN, strict=True):
        assert [node.parent for node in found] == parents
        assert values(found) == labels
        assert found.meta["finish_reason"] == reason
    seconds = trees[2]
    assert [seconds.finished(leaf) for leaf in seconds.leaves()] == [False, *[True] * 6]
    assert seconds.nodes[4].text.startswith("Right. Let's check our wo")
    assert trees[0].nodes[6].text == "We have $3p+e=1.24$ and $5p+e=1.82$."


@pytest.mark.realdata
def test_the_row_that_tested_a_labeller_is_left_out(data_dir: Path) -> None:
    corpus = Corpus("prm800k", str(data_dir / "prm800k_raw"))
    assert len(list(corpus)) == 5
    assert (corpus.counts.read, corpus.counts.filtered) == (6, 1)
