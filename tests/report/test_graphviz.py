from prmkit.report.graphviz import dot
from prmkit.tree import ROOT, Problem, StepTree
from tests.report.trees import searched_tree


def test_a_tree_for_graphviz() -> None:
    lines = dot(searched_tree()).splitlines()
    assert lines[0] == "digraph tree {"
    assert '  root [label="1 + \\"1\\"?"];' in lines
    assert "  n0 -> n1;" in lines
    assert sum(line.startswith("  root -> ") for line in lines) == 3
    assert 'label="2\\n0.800", tooltip="chosen"' in "".join(lines)


def test_no_text_ends_its_quotes_or_its_line() -> None:
    tree = StepTree(Problem(id="p", prompt="a\\"))
    tree.add(ROOT, 'one\ntwo" shape=star, x="')
    text = dot(tree)
    assert '  root [label="a\\\\"];' in text.splitlines()
    assert '  n0 [label="one\\ntwo\\" shape=star, x=\\"", tooltip="pruned"' in text
