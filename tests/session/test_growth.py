from prmkit.generate.written import Written, WrittenStep
from prmkit.session.growth import Growth, Origin
from prmkit.tree import ROOT, Finish, Problem, StepTree

META = {"step_end": "\n", "tokenizer": "mine"}


def wrote(*steps: str, finish: Finish) -> Written:
    return Written(tuple(WrittenStep(text=step, ids=list(map(ord, step))) for step in steps), finish)


A, B, END = wrote("a", finish="stop"), wrote("b", finish="stop"), wrote(finish="eos")


def grown() -> Growth:
    return Growth(StepTree(Problem(id="p", prompt="?")), META)


def test_the_order_of_a_tree_is_that_of_its_requests_not_of_its_replies() -> None:
    trees = []
    for order in ((0, 1), (1, 0)):
        growth = grown()
        asked = [Origin(ROOT, f"k{index}", growth.ordinal(ROOT)) for index in range(2)]
        replies = [[wrote("a", "x", finish="eos"), B], [wrote("c", finish="stop")]]
        for index in order:
            growth.complete(asked[index], replies[index])
        trees.append(growth.in_order()[0])
    assert trees[0] == trees[1]
    assert [node.text for node in trees[0]] == ["a", "x", "b", "c"]


def test_new_indices_lead_to_the_same_steps() -> None:
    growth = grown()
    late, early = Origin(ROOT, "k2", 2), Origin(ROOT, "k1", 1)
    (c,) = growth.expand(late, [wrote("c", finish="stop")])
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


def test_what_a_policy_wrote_is_kept_token_by_token_also_in_the_copy_of_an_end() -> None:
    growth = grown()
    step = WrittenStep(text="a", thought=True, raw=" a\n\n", ids=[7, 8])
    (a,) = growth.expand(Origin(ROOT, "k", 1), [Written((step,), "stop")])
    growth.expand(Origin(a, "l", 1), [END, B])
    tree = growth.in_order()[0]
    for node in tree.nodes[0], tree.nodes[2]:
        assert (node.text, node.thought, node.raw, list(node.ids or ())) == ("a", True, " a\n\n", [7, 8])
    assert tree.meta == META


def test_a_tree_that_another_policy_began_keeps_its_ids_and_gets_texts() -> None:
    tree = StepTree(Problem(id="p", prompt="?"), meta={"tokenizer": "other", "step_end": "\n\n"})
    tree.add(ROOT, "theirs", ids=[1, 2])
    growth = Growth(tree, META)
    (a,) = growth.expand(Origin(0, "k", 1), [A])
    assert tree.meta == {"tokenizer": "other", "step_end": "\n\n"}
    assert list(tree.nodes[0].ids or ()) == [1, 2]
    assert (tree.nodes[a].ids, tree.nodes[a].raw) == (None, "a\n")


def test_a_policy_without_a_vocabulary_keeps_texts_and_claims_none() -> None:
    growth = Growth(StepTree(Problem(id="p", prompt="?")), {"step_end": "\n"})
    (a,) = growth.expand(Origin(ROOT, "k", 1), [Written((WrittenStep(text="a", raw=" a\n"),), "stop")])
    assert growth.tree.meta == {"step_end": "\n"}
    assert (growth.tree.nodes[a].raw, growth.tree.nodes[a].ids) == (" a\n", None)


def test_what_a_policy_with_a_vocabulary_adds_to_texts_of_another_is_text() -> None:
    """A vocabulary that were noted now would claim the steps that are there."""
    tree = StepTree(Problem(id="p", prompt="?"), meta={"step_end": "\n\n"})
    tree.add(ROOT, "theirs")
    growth = Growth(tree, META)
    (a,) = growth.expand(Origin(0, "k", 1), [A])
    assert tree.meta == {"step_end": "\n\n"}
    assert (tree.nodes[a].ids, tree.nodes[a].raw) == (None, "a\n")


def test_a_tree_of_one_vocabulary_and_another_step_end_keeps_both() -> None:
    tree = StepTree(Problem(id="p", prompt="?"), meta={"tokenizer": "mine", "step_end": "\n\n"})
    growth = Growth(tree, META)
    (a,) = growth.expand(Origin(ROOT, "k", 1), [A])
    assert tree.meta == {"tokenizer": "mine", "step_end": "\n\n"}
    assert (list(tree.nodes[a].ids or ()), tree.nodes[a].raw) == ([97], "a\n")


def test_the_third_of_three_equal_steps_is_a_loop_unless_it_ends_there() -> None:
    growth = grown()
    (first,) = growth.expand(Origin(ROOT, "k", 1), [A])
    (second,) = growth.expand(Origin(first, "l", 1), [A])
    assert growth.tree.nodes[second].finish == "stop"  # closing brackets do stand twice
    third, end = growth.expand(Origin(second, "m", 1), [A, wrote("a", finish="eos")])
    assert (growth.tree.nodes[third].finish, growth.tree.nodes[end].finish) == ("cancelled", "eos")


def test_steps_that_were_there_have_names_of_their_own() -> None:
    growth = Growth(StepTree.from_steps(Problem(id="p", prompt="?"), ["a", "b"]), META)
    assert growth.name(ROOT) == ""
    assert growth.name(0) != growth.name(1)
    assert [growth.depth(node) for node in (ROOT, 0, 1)] == [0, 1, 2]
