from prmkit.session.growth import Growth, Origin, Written
from prmkit.tree import ROOT, Problem, StepTree

A, B, END = Written(("a",), "stop"), Written(("b",), "stop"), Written((), "eos")


def grown() -> Growth:
    return Growth(StepTree(Problem(id="p", prompt="?")))


def test_the_order_of_a_tree_is_that_of_its_requests_not_of_its_replies() -> None:
    trees = []
    for order in ((0, 1), (1, 0)):
        growth = grown()
        asked = [Origin(ROOT, f"k{index}", growth.ordinal(ROOT)) for index in range(2)]
        replies = [[Written(("a", "x"), "eos"), B], [Written(("c",), "stop")]]
        for index in order:
            growth.complete(asked[index], replies[index])
        trees.append(growth.in_order()[0])
    assert trees[0] == trees[1]
    assert [node.text for node in trees[0]] == ["a", "x", "b", "c"]


def test_new_indices_lead_to_the_same_steps() -> None:
    growth = grown()
    late, early = Origin(ROOT, "k2", 2), Origin(ROOT, "k1", 1)
    (c,) = growth.expand(late, [Written(("c",), "stop")])
    (a,) = growth.expand(early, [A])
    tree, new = growth.in_order()
    assert (tree.nodes[new[a]].text, tree.nodes[new[c]].text) == ("a", "c")
    assert (new[a], new[c], new[ROOT]) == (0, 1, ROOT)


def test_where_all_samples_end_the_node_itself_is_the_end() -> None:
    growth = grown()
    (a,) = growth.expand(Origin(ROOT, "k", 1), [A])
    assert growth.expand(Origin(a, "l", 1), [END, END]) == [a, a]
    assert growth.tree.finished(a)
    assert len(growth.tree) == 1


def test_where_some_end_and_some_go_on_the_end_is_a_copy_with_the_same_score() -> None:
    growth = grown()
    (a,) = growth.expand(Origin(ROOT, "k", 1), [A])
    growth.tree.set_score(a, 0.25)
    end, b = growth.expand(Origin(a, "l", 1), [END, B])
    assert growth.tree.steps(end) == ["a"]
    assert growth.tree.finished(end)
    assert growth.tree.nodes[end].score == 0.25
    assert growth.tree.steps(b) == ["a", "b"]
    assert growth.tree.nodes[a].finish == "stop"
    # The copy stands behind the node that it is a copy of.
    assert [node.finish for node in growth.in_order()[0]] == ["stop", "stop", "eos"]


def test_the_third_of_three_equal_steps_is_a_loop_unless_it_ends_there() -> None:
    growth = grown()
    (first,) = growth.expand(Origin(ROOT, "k", 1), [A])
    (second,) = growth.expand(Origin(first, "l", 1), [A])
    assert growth.tree.nodes[second].finish == "stop"  # closing brackets do stand twice
    third, end = growth.expand(Origin(second, "m", 1), [A, Written(("a",), "eos")])
    assert (growth.tree.nodes[third].finish, growth.tree.nodes[end].finish) == ("cancelled", "eos")


def test_steps_that_were_there_have_names_of_their_own() -> None:
    growth = Growth(StepTree.from_steps(Problem(id="p", prompt="?"), ["a", "b"]))
    assert growth.name(ROOT) == ""
    assert growth.name(0) != growth.name(1)
    assert [growth.depth(node) for node in (ROOT, 0, 1)] == [0, 1, 2]
