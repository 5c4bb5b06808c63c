from hypothesis import given
from hypothesis import strategies as st

from prmkit.packing.paths import groups, labelled_paths
from prmkit.tree import ROOT, Problem, StepTree
from tests.packing.forests import trees
from tests.tiny import human


def forked() -> StepTree:
    """Steps 0 - 1, and behind 1 the leaves 2 and 3; all labelled."""
    tree = StepTree(Problem(id="p", prompt="?"))
    first = tree.add(ROOT, "a", label=human(1.0))
    second = tree.add(first, "b", label=human(1.0))
    tree.add(second, "c", label=human(0.0))
    tree.add(second, "d", label=human(1.0))
    return tree


def test_a_label_is_taught_by_the_first_path_that_holds_it() -> None:
    found = labelled_paths(forked(), [2, 2, 2, 2], 6, "once")
    assert [list(path) for path in found.paths] == [[0, 1, 2], [0, 1, 3]]
    assert found.taught == [[0, 1, 2], [3]]
    assert labelled_paths(forked(), [2, 2, 2, 2], 6, "rows").taught == [[0, 1, 2], [0, 1, 3]]


def test_a_path_is_cut_where_the_room_ends() -> None:
    found = labelled_paths(forked(), [2, 2, 2, 3], 6, "once")
    assert [list(path) for path in found.paths] == [[0, 1, 2]]
    assert (found.cut, found.dropped) == (1, 1)


def test_paths_share_a_row_while_they_fit() -> None:
    paths = [(0, 1, 2), (0, 1, 3), (4,)]
    assert list(groups(paths, [2, 2, 2, 2, 5], 8)) == [range(2), range(2, 3)]
    assert list(groups(paths, [2, 2, 2, 2, 5], 13)) == [range(3)]
    assert list(groups(paths, [2, 2, 2, 2, 5], None)) == [range(1), range(1, 2), range(2, 3)]
    assert list(groups([], [], 8)) == []


@given(trees(), st.integers(0, 20))
def test_every_label_that_can_be_reached_is_taught_once(tree: StepTree, room: int) -> None:
    lengths = [len(node.text.split()) + 1 for node in tree]
    found = labelled_paths(tree, lengths, room, "once")
    reached = [
        node
        for node in range(len(tree))
        if tree.nodes[node].label is not None and sum(lengths[step] for step in tree.path(node)) <= room
    ]
    assert sorted(node for taught in found.taught for node in taught) == reached
    assert len(found.paths) + found.dropped == len(tree.leaves())
    assert [list(path) for path in found.paths] == sorted(tree.path(path[-1]) for path in found.paths)
