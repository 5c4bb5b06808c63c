from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from prmkit.sources.deduplicate import Duplicates
from prmkit.tree import ROOT, Label, Problem, StepTree
from tests.tiny import path_tree

STEPS = [("a", 1.0), ("b", 0.0)]


def found(*trees: StepTree) -> tuple[list[bool], int, int]:
    duplicates = Duplicates()
    new = [duplicates.is_new(tree) for tree in trees]
    return new, duplicates.repeated, duplicates.labels_differ


def test_the_same_steps_for_the_same_problem_are_a_duplicate_whatever_the_spaces() -> None:
    assert found(path_tree("1 + 1?", STEPS), path_tree(" 1  +\n1?", [("a ", 1.0), ("b", 0.0)])) == ([True, False], 1, 0)


def test_another_problem_step_order_or_length_is_none() -> None:
    others = [("q", STEPS), ("p", STEPS[:1]), ("p", STEPS[::-1]), ("p", [("ab", 1.0)]), ("p", [("a", 1.0), ("c", 0.0)])]
    assert found(path_tree("p", STEPS), *(path_tree(*other) for other in others)) == ([True] * 6, 0, 0)


def test_other_labels_are_counted_and_the_first_ones_stand() -> None:
    relabelled = [path_tree("p", [("a", 1.0), ("b", value)]) for value in (0.0, 1.0, None, 0.0)]
    assert found(*relabelled) == ([True, False, False, False], 3, 2)


def test_who_labelled_a_step_makes_no_other_label() -> None:
    tree, other = path_tree("p", STEPS), path_tree("p", STEPS)
    other.set_label(0, Label(value=1.0, source="judge", rollouts=8))
    assert found(tree, other) == ([True, False], 1, 0)


def test_a_step_in_another_place_of_the_tree_makes_another_tree() -> None:
    flat, deep = StepTree(Problem(id="x", prompt="p")), StepTree(Problem(id="x", prompt="p"))
    for tree in (flat, deep):
        tree.add(tree.add(ROOT, "a"), "b")
    flat.add(0, "c")
    deep.add(1, "c")
    assert found(flat, deep) == ([True, True], 0, 0)


def test_a_thought_is_another_step_than_an_answer() -> None:
    tree = path_tree("p", STEPS)
    thought = StepTree(tree.problem, [replace(tree.nodes[0], thought=True), tree.nodes[1]])
    assert found(tree, thought) == ([True, True], 0, 0)


def test_problems_without_steps_are_told_apart_by_their_wording() -> None:
    assert found(path_tree("p", []), path_tree("q", []), path_tree("p ", [])) == ([True, True, False], 1, 0)


@st.composite
def trees(draw: st.DrawFn) -> list[tuple[int, str, float | None]]:
    """Parent, text and label of each step."""
    size = draw(st.integers(0, 7))
    return [
        (draw(st.integers(-1, index - 1)), draw(st.sampled_from("ab")), draw(st.sampled_from([None, 0.0, 1.0])))
        for index in range(size)
    ]


def grown(steps: list[tuple[int, str, float | None]], order: list[int]) -> StepTree:
    """The tree whose steps are appended in an order; parents first."""
    tree, new_of = StepTree(Problem(id="x", prompt="p")), {ROOT: ROOT}
    for index in order:
        parent, text, value = steps[index]
        label = None if value is None else Label(value=value, source="human")
        new_of[index] = tree.add(new_of[parent], text, label=label)
    return tree


@given(trees(), st.randoms(use_true_random=False))
def test_the_order_in_which_a_tree_grew_does_not_matter(
    steps: list[tuple[int, str, float | None]], random: object
) -> None:
    order: list[int] = []
    while len(order) < len(steps):
        ready = [i for i, (parent, _, _) in enumerate(steps) if i not in order and parent in (ROOT, *order)]
        order.append(random.choice(ready))  # type: ignore[attr-defined]
    assert found(grown(steps, list(range(len(steps)))), grown(steps, order)) == ([True, False], 1, 0)


@given(trees(), trees())
def test_two_trees_are_the_same_if_what_grows_from_their_problem_is(
    one: list[tuple[int, str, float | None]], other: list[tuple[int, str, float | None]]
) -> None:
    def form(steps: list[tuple[int, str, float | None]], parent: int = ROOT) -> object:
        return sorted((text, form(steps, index)) for index, (above, text, _) in enumerate(steps) if above == parent)

    pair = [grown(steps, list(range(len(steps)))) for steps in (one, other)]
    assert found(*pair)[0] == [True, form(one) != form(other)]
