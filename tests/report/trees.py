"""A searched tree with a step of every kind."""

from prmkit.tree import ROOT, Problem, StepTree


def searched_tree() -> StepTree:
    tree = StepTree(Problem(id="p", prompt='1 + "1"?', answer="2"), meta={"chosen": "1", "strategy": "beam"})
    first = tree.add(ROOT, "add", score=0.9, finish="stop")
    tree.add(first, "2", score=0.8, finish="eos")
    tree.add(ROOT, "left\x1b[31m", score=0.1, finish="stop")
    tree.add(ROOT, "cut", finish="length")
    tree.add(first, "3", score=0.2, finish="eos")
    return tree
