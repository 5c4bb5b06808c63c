from prmkit.sources.shape import depth, up_to_first_error
from prmkit.tree import StepTree
from tests.tiny import human, path_tree


def test_depth_is_the_length_of_the_longest_solution() -> None:
    tree = path_tree("p", [("a", None), ("b", None)])
    tree.add(-1, "c")
    assert (depth(tree), depth(StepTree(tree.problem))) == (2, 0)


def test_what_follows_a_wrong_step_is_left_out_and_its_siblings_stay() -> None:
    tree = path_tree("p", [("a", 1.0), ("wrong", 0.0), ("after", 1.0), ("later", None)])
    tree.add(0, "beside", label=human(1.0))
    tree.add(4, "last", finish="eos")
    kept = up_to_first_error(tree)
    assert [(node.text, node.parent) for node in kept] == [("a", -1), ("wrong", 0), ("beside", 0), ("last", 2)]
    assert kept.finished(3)
    assert [node.text for node in tree][2:4] == ["after", "later"]
