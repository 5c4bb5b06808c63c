from prmkit.report.step_status import statuses
from prmkit.tree import ROOT, Problem, StepTree
from tests.report.trees import searched_tree


def test_what_became_of_each_step() -> None:
    assert statuses(searched_tree()) == ["chosen", "chosen", "pruned", "unfinished", "finished"]


def test_without_an_answer_no_step_is_chosen() -> None:
    tree = StepTree(Problem(id="p", prompt="?"), meta={"chosen": "-1"})
    first = tree.add(ROOT, "on the way")
    tree.add(first, "stopped by the clock", finish="cancelled")
    assert statuses(tree) == ["inner", "unfinished"]
