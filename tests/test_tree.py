import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.tree import ROOT, Label, Problem, Reads, StepTree

PROBLEM = Problem(id="p", prompt="2 + 2?")


def fork() -> StepTree:
    """a ── b ── c
    └─ d"""
    tree = StepTree.from_steps(PROBLEM, ["a", "b", "c"])
    tree.add(0, "d")
    return tree


def test_a_path_runs_from_the_first_step_to_the_node() -> None:
    tree = fork()
    assert tree.path(2) == [0, 1, 2]
    assert tree.path(3) == [0, 3]
    assert tree.path(ROOT) == []
    assert tree.steps(3) == ["a", "d"]


@pytest.mark.parametrize(("noted", "node"), [("2", 2), ("0", 0), ("-1", ROOT)])
def test_the_answer_is_the_step_that_the_search_noted(noted: str, node: int) -> None:
    tree = fork()
    assert tree.chosen == ROOT
    tree.meta["chosen"] = noted
    assert tree.chosen == node


@pytest.mark.parametrize(
    ("reads", "path", "later"), [("both", [0, 1, 2], [0, 3]), ("thought", [0, 1], [0]), ("answer", [2], [3])]
)
def test_a_prm_reads_the_steps_of_the_thought_of_the_answer_or_both(
    reads: Reads, path: list[int], later: list[int]
) -> None:
    tree = StepTree(PROBLEM)
    for parent, thought in ((ROOT, True), (0, True), (1, False), (0, False)):
        tree.add(parent, "x", thought=thought)
    assert (tree.read_path(2, reads), tree.read_path(3, reads), tree.read_path(ROOT, reads)) == (path, later, [])
    assert tree.read_path(2) == [0, 1, 2]  # where nothing is noted
    tree.note_reads(reads)
    assert (tree.read_path(2), tree.reads) == (path, reads)
    assert [node for node in range(3) if tree.is_read(node)] == path
    assert tree.meta == ({} if reads == "both" else {"reads": reads})
    tree.note_reads("both")
    assert (tree.reads, tree.meta) == ("both", {})


def test_a_note_that_names_no_steps_to_read_is_refused() -> None:
    tree = fork()
    tree.meta["reads"] = "all"
    with pytest.raises(InputError, match="p: no such choice of steps to read, got 'all'; expected thought, answer, b"):
        tree.read_path(2)


@pytest.mark.parametrize("noted", ["4", "-2", "none", "", "1.0"])
def test_a_note_that_names_no_step_is_refused(noted: str) -> None:
    tree = fork()
    tree.meta["chosen"] = noted
    with pytest.raises(InputError, match=f"p: the answer is no step of the tree, got '{noted}'"):
        _ = tree.chosen


def test_children_and_leaves_keep_the_order_of_writing() -> None:
    tree = fork()
    assert tree.children(ROOT) == [0]
    assert tree.children(0) == [1, 3]
    assert tree.leaves() == [2, 3]


@pytest.mark.parametrize("parent", [-2, 4])
def test_a_parent_must_exist(parent: int) -> None:
    with pytest.raises(InputError, match=rf"no such parent step, got {parent}; expected an index in \[-1, 4\)"):
        fork().add(parent, "e")


@pytest.mark.parametrize("text", ["", " ", "\n"])
def test_an_empty_step_never_enters(text: str) -> None:
    with pytest.raises(InputError, match="empty step"):
        fork().add(0, text)


@pytest.mark.parametrize("finish", ["eos", "length", "cancelled"])
def test_nothing_follows_a_solution_that_ended(finish: str) -> None:
    tree = StepTree(PROBLEM)
    last = tree.add(ROOT, "a", finish=finish)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a step follows a solution that ended"):
        tree.add(last, "b")


def test_only_an_eos_makes_a_solution_finished() -> None:
    tree = StepTree(PROBLEM)
    finished = {reason: tree.finished(tree.add(ROOT, "a", finish=reason)) for reason in ("eos", "length", "stop", None)}
    assert finished == {"eos": True, "length": False, "stop": False, None: False}
    assert not tree.finished(ROOT)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan"), float("inf")])
def test_labels_and_scores_are_probabilities(value: float) -> None:
    with pytest.raises(InputError, match="label out of range"):
        Label(value=value, source="human")
    with pytest.raises(InputError, match="score out of range"):
        fork().set_score(0, value)


def test_a_label_count_that_differs_from_the_step_count_is_refused() -> None:
    with pytest.raises(InputError, match="labels and steps differ in number, got 1; expected 2 labels"):
        StepTree.from_steps(PROBLEM, ["a", "b"], [None])


@given(st.lists(st.integers(0, 10**6), max_size=30))
def test_every_leaf_path_starts_at_a_first_step_and_together_they_cover_the_tree(choices: list[int]) -> None:
    tree = StepTree(PROBLEM)
    for choice in choices:
        tree.add(choice % (len(tree) + 1) - 1, "step")
    paths = [tree.path(leaf) for leaf in tree.leaves()]
    assert {node for path in paths for node in path} == set(range(len(tree)))
    for path in paths:
        assert tree.nodes[path[0]].parent == ROOT
        assert path == sorted(path)


def test_a_step_keeps_how_it_was_written_in_every_copy() -> None:
    tree = StepTree(Problem(id="p", prompt="?"), meta={"tokenizer": "mine"})
    first = tree.add(ROOT, "hm", thought=True, raw="<think> hm\n\n", ids=[1, 2], score=0.5, finish="stop")
    tree.add(first, "other", finish="eos")
    last = tree.add(first, "4", ids=[3], finish="eos")
    alone = tree.up_to(last)
    assert [(node.text, node.thought, node.raw, list(node.ids or ())) for node in alone] == [
        ("hm", True, "<think> hm\n\n", [1, 2]),
        ("4", False, None, [3]),
    ]
    assert [(node.parent, node.score, node.finish) for node in alone] == [(ROOT, None, None), (0, None, None)]
    assert alone.meta == tree.meta
    assert len(tree.up_to(ROOT)) == 0


def test_what_is_judged_of_a_solution_is_its_answer() -> None:
    tree = StepTree(Problem(id="p", prompt="?"))
    thought = tree.add(ROOT, "\\boxed{3}", thought=True)
    assert tree.solution(thought) == ""
    assert tree.solution(tree.add(tree.add(thought, "So:"), "\\boxed{4}")) == "So:\n\\boxed{4}"
