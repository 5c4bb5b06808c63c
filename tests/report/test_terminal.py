from prmkit.report.graphviz import dot
from prmkit.report.step_status import statuses
from prmkit.report.terminal import drawn
from prmkit.tree import ROOT, Problem, StepTree


def searched() -> StepTree:
    tree = StepTree(Problem(id="p", prompt='1 + "1"?', answer="2"), meta={"chosen": "1", "strategy": "beam"})
    first = tree.add(ROOT, "add", score=0.9, finish="stop")
    tree.add(first, "2", score=0.8, finish="eos")
    tree.add(ROOT, "left\x1b[31m", score=0.1, finish="stop")
    tree.add(ROOT, "cut", finish="length")
    tree.add(first, "3", score=0.2, finish="eos")
    return tree


def test_what_became_of_each_step() -> None:
    assert statuses(searched()) == ["chosen", "chosen", "pruned", "unfinished", "finished"]


def test_a_tree_in_the_terminal_shows_depth_scores_and_marks_and_obeys_no_text() -> None:
    lines = drawn(searched()).plain.splitlines()
    assert "→ 0.900  add" in lines
    assert "  → 0.800  2" in lines
    assert "  ● 0.200  3" in lines
    assert "✗ 0.100  left [31m" in lines
    assert "…   -    cut" in lines


def test_a_tree_for_graphviz() -> None:
    lines = dot(searched()).splitlines()
    assert lines[0] == "digraph tree {"
    assert '  root [label="1 + \\"1\\"?"];' in lines
    assert "  n0 -> n1;" in lines
    assert sum(line.startswith("  root -> ") for line in lines) == 3
    assert 'label="2\\n0.800", tooltip="chosen"' in "".join(lines)
