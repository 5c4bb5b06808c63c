"""A tree of steps for Graphviz."""

from prmkit.report.step_status import StepStatus, statuses
from prmkit.tree import ROOT, StepTree

_STYLES: dict[StepStatus, str] = {
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
    for index, (node, status) in enumerate(zip(tree, statuses(tree), strict=True)):
        score = "" if node.score is None else f"\\n{node.score:.3f}"
        lines.append(f'  n{index} [label="{_quoted(node.text)}{score}", tooltip="{status}", {_STYLES[status]}];')
        lines.append(f"  {'root' if node.parent == ROOT else f'n{node.parent}'} -> n{index};")
    return "\n".join([*lines, "}", ""])


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
