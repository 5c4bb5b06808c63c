from hypothesis import given
from hypothesis import strategies as st

from prmkit.score.paths import asked_by_tip, path_seed
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


def test_the_seed_of_a_path_is_fixed_by_problem_and_steps() -> None:
    tree = StepTree.from_steps(Problem(id="p", prompt="?"), ["a", "b"])
    # printf '7\x1fp\x1fa' | sha256sum, printf '7\x1fp\x1fa\x1fb' | sha256sum
    assert [path_seed(7, tree, node) for node in (0, 1)] == [0x210EE4E7BD3A6D6B >> 1, 0x4D86B401B19FB2CE >> 1]
