from hypothesis import given
from hypothesis import strategies as st

from prmkit.score.paths import asked_by_tip, path_seed, tree_of
from prmkit.tree import ROOT, Problem, StepTree


@st.composite
def asked_trees(draw: st.DrawFn) -> tuple[StepTree, list[int]]:
    tree = StepTree(Problem(id="p", prompt="?"))
    for number in range(draw(st.integers(1, 12))):
        tree.add(draw(st.integers(ROOT, number - 1)), f"{number}")
    return tree, draw(st.lists(st.integers(0, len(tree) - 1), min_size=1))


@given(asked_trees())
def test_the_paths_to_the_tips_hold_every_asked_node_once(asked: tuple[StepTree, list[int]]) -> None:
    tree, nodes = asked
    found = asked_by_tip(tree, nodes)
    listed = [node for on_path in found.values() for node in on_path]
    assert sorted(listed) == sorted(set(nodes))
    for tip, on_path in found.items():
        assert on_path[-1] == tip
        assert [node for node in tree.path(tip) if node in on_path] == on_path
        assert not any(tip in tree.path(node)[:-1] for node in nodes)


def test_a_node_that_two_tips_share_is_read_with_the_first() -> None:
    tree = StepTree(Problem(id="p", prompt="?"))
    stem = tree.add(ROOT, "a")
    left, right = tree.add(stem, "b"), tree.add(stem, "c")
    assert asked_by_tip(tree, [right, stem, left]) == {right: [stem, right], left: [left]}


def test_a_tree_of_some_paths_has_their_steps_as_they_are_and_bridges_those_left_out() -> None:
    tree = StepTree.from_steps(Problem(id="p", prompt="?"), ["a", "b", "c", "d"])
    side = tree.add(1, "e", finish="eos", thought=True)
    part, new = tree_of(tree, [[0, 2, 3], [0, side]])
    assert new == {0: 0, 2: 1, 3: 2, side: 3}
    assert (part.problem, part.steps(2), part.steps(3)) == (tree.problem, ["a", "c", "d"], ["a", "e"])
    assert [node.parent for node in part] == [ROOT, 0, 1, 0]
    assert (part.nodes[3].finish, part.nodes[3].thought) == ("eos", True)
    assert [node.parent for node in tree] == [ROOT, 0, 1, 2, 1]  # which is what it was


def test_the_seed_of_a_path_is_fixed_by_problem_and_steps() -> None:
    tree = StepTree.from_steps(Problem(id="p", prompt="?"), ["a", "b"])
    # printf '7\x1fp\x1fa' | sha256sum, printf '7\x1fp\x1fa\x1fb' | sha256sum
    assert [path_seed(7, tree, node) for node in (0, 1)] == [0x210EE4E7BD3A6D6B >> 1, 0x4D86B401B19FB2CE >> 1]
