from prmkit.attribution.record import Attribution
from prmkit.report.pack import MOST_STEPS, Judged, Texts, packed
from prmkit.tree import ROOT, Label, Problem, StepTree
from tests.report.runs import explained


def judged(
    tree: StepTree, right: dict[int, bool] | None = None, attributions: dict[int, Attribution] | None = None
) -> Judged:
    return Judged(tree=tree, right=right or {}, attributions=attributions or {})


def searched() -> StepTree:
    """Two first steps; below the first, the chosen solution and another; the second was pruned."""
    tree = StepTree(Problem(id="p", prompt="1 + 1?"), meta={"chosen": "1"})
    first = tree.add(ROOT, "add", score=0.9)
    tree.add(first, "2", score=0.8004, finish="eos")
    tree.add(ROOT, "guess", label=Label(value=0.25, source="mc"))
    tree.add(first, "3", finish="eos")
    return tree


def test_a_tree_is_packed_as_derived_by_hand() -> None:
    texts = Texts()
    assert texts.number("2") == 0  # of another strategy
    assert packed(judged(searched(), {1: True, 3: False}), texts) == {
        "parent": [-1, 0, -1, 0],
        "text": [1, 0, 2, 3],
        "status": "ccpf",
        "score": [900, 800, -1, -1],
        "label": [-1, -1, 250, -1],
        "right": {"1": 1, "3": 0},
        "chosen": 1,
    }
    assert texts.all == ["2", "add", "guess", "3"]


def test_what_does_not_fit_is_counted_where_it_was() -> None:
    """One solution is kept: that of the answer. Another below its first step, and a pruned step, are left out."""
    found = packed(judged(searched(), {1: True, 3: False}), Texts(), solutions=1)
    assert (found["parent"], found["right"], found["chosen"]) == ([-1, 0], {"1": 1}, 1)
    assert found["omitted"] == {"solutions": 2, "steps": 2, "right": 0}
    assert found["cut"] == {"0": 1, "-1": 1}


def test_an_explained_solution_is_kept_under_its_new_number() -> None:
    explanation = explained(["add", "3"], [0.9, 0.5])
    found = packed(judged(searched(), {3: True}, {3: explanation}), Texts(), solutions=1)
    assert (found["parent"], found["right"]) == ([-1, 0, 0], {"2": 1})
    assert found["attributed"] == {"2": explanation.as_dict()}
    assert found["omitted"] == {"solutions": 1, "steps": 1, "right": 0}


def test_a_huge_tree_keeps_its_answer_and_counts_the_rest() -> None:
    tree = StepTree(Problem(id="p", prompt="?"), meta={"chosen": str(2 * MOST_STEPS)})
    for number in range(2 * MOST_STEPS + 1):
        tree.add(ROOT, f"step {number}", finish="eos")
    found = packed(judged(tree, {2 * MOST_STEPS: True, 2 * MOST_STEPS - 1: True}), Texts())
    assert len(found["parent"]) == MOST_STEPS
    assert (found["chosen"], found["right"]) == (MOST_STEPS - 1, {str(MOST_STEPS - 1): 1})
    assert found["omitted"] == {"solutions": MOST_STEPS + 1, "steps": MOST_STEPS + 1, "right": 1}


def test_a_corpus_has_no_pruned_steps() -> None:
    assert packed(judged(StepTree.from_steps(Problem(id="p", prompt="?"), ["a", "b"])), Texts())["status"] == "ii"
