"""A tree of steps for Graphviz."""

from prmkit.report.step_status import Fate, fates
from prmkit.tree import ROOT, StepTree

_STYLES: dict[Fate, str] = {
    "chosen": 'penwidth=2, color="#0072b2"',
    "finished": 'color="#009e73"',
    "unfinished": 'style=dashed, color="#999999"',
    "pruned": 'style=dotted, color="#999999"',
    "inner": 'color="#000000"',
}


def dot(tree: StepTree) -> str:
    """The tree in the DOT language: a box a step, with its text and score; the chosen path in blue."""
    lines = [
        "digraph tree {",
        "  node [shape=box, fontname=monospace];",
        f'  root [label="{_quoted(tree.problem.prompt)}"];',
    ]
    for index, (node, fate) in enumerate(zip(tree, fates(tree), strict=True)):
        score = "" if node.score is None else f"\\n{node.score:.3f}"
        lines.append(f'  n{index} [label="{_quoted(node.text)}{score}", tooltip="{fate}", {_STYLES[fate]}];')
        lines.append(f"  {'root' if node.parent == ROOT else f'n{node.parent}'} -> n{index};")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
