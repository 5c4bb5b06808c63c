"""A tree of steps for the terminal."""

from typing import TYPE_CHECKING

from prmkit.generate.written import STEP_END, VOCABULARY
from prmkit.report.step_status import StepStatus, statuses
from prmkit.tree import ROOT, StepTree

if TYPE_CHECKING:
    from rich.text import Text

_MARKS: dict[StepStatus, tuple[str, str]] = {
    "chosen": ("→", "bold"),
    "finished": ("●", ""),
    "unfinished": ("…", "italic dim"),
    "pruned": ("✗", "dim"),
    "inner": (" ", ""),
}
LEGEND = "→ chosen   ● finished   ✗ left by the search   … cut by a limit"


def drawn(tree: StepTree) -> "Text":
    """The problem, and its steps indented by depth, each with its score, green for 1 to red for 0, and its mark."""
    from rich.text import Text

    text = Text()
    text.append(f"{tree.problem.id}: {_plain(tree.problem.prompt)}\n", style="bold")
    shown = {key: value for key, value in tree.meta.items() if key not in (STEP_END, VOCABULARY) and len(value) < 40}
    text.append("  ".join(f"{key} {value}" for key, value in shown.items()) + "\n")
    text.append(LEGEND + "\n\n", style="dim")
    became, children = statuses(tree), _children(tree)
    stack = [(child, 0) for child in reversed(children.get(ROOT, []))]
    while stack:
        node, depth = stack.pop()
        mark, style = _MARKS[became[node]]
        score = tree.nodes[node].score
        text.append("  " * depth)
        text.append(f"{mark} ", style=style)
        text.append("  -  " if score is None else f"{score:.3f}", style="" if score is None else _colour(score))
        text.append(f"  {_plain(tree.nodes[node].text)}\n", style=style)
        stack += [(child, depth + 1) for child in reversed(children.get(node, []))]
    return text


def _children(tree: StepTree) -> dict[int, list[int]]:
    children: dict[int, list[int]] = {}
    for index, node in enumerate(tree):
        children.setdefault(node.parent, []).append(index)
    return children


def _colour(score: float) -> str:
    return "green" if score >= 0.75 else "yellow" if score >= 0.4 else "red"


def _plain(text: str) -> str:
    """Text of a model on one line, with nothing in it that a terminal would obey."""
    return "".join(character if character.isprintable() else " " for character in text)
