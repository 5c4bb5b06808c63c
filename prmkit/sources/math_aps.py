"""MATH-APS: trees that OmegaPRM grew on MATH, each prefix with the share of rollouts that reached the answer.

Source: Wang et al. 2024, OpenR, arXiv 2410.09671; openreasoner/MATH-APS on the Hugging Face hub. A row holds either the
nested tree or the flat list of its prefixes, both under ``reasoning_steps``.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from prmkit.errors import InputError
from prmkit.rows_io import Fields, field
from prmkit.sources import problem_id, required
from prmkit.tree import ROOT, Label, Problem, StepTree


def tree_of(row: Fields, where: str, *, kind: Literal["soft", "hard"] = "soft", threshold: float = 0.0) -> StepTree:
    """The tree of a row. Its root is the question; a text that is empty once its question is taken off is no step, and
    what follows it takes its place.

    The corpus hangs every right rollout into the tree as one long step of value 1, which is kept as it is.

    Args:
        row: with ``question``, ``final_answer``, ``reasoning_steps``.
        where: its place.
        kind: label with the share of successes, or with 0 and 1.
        threshold: hard: a step is right if its share is above this.

    Raises:
        InputError: a column is missing or illegal, a share is no probability, or a prefix does not begin with the
            question.
    """
    if kind not in ("soft", "hard"):
        raise InputError("unknown kind of label", got=kind, expected="soft or hard")
    question: str = required(row, where, "question", str)
    answer = field(row, where, "final_answer")
    tree = StepTree(Problem(id=problem_id("math-aps", question), prompt=question, answer=answer))
    grown = row.get("reasoning_steps")
    steps = _of_list(grown, question, where) if isinstance(grown, list) else _of_tree(grown, where)
    nodes: dict[int, int] = {}
    for number, (parent, text, share) in enumerate(steps):
        above = ROOT if parent is None else nodes[parent]
        if not text.strip():
            nodes[number] = above
            continue
        value = share if kind == "soft" else float(share > threshold)
        nodes[number] = tree.add(above, text.strip(), label=Label(value=value, source="monte-carlo"))
    return tree


def _of_tree(root: Any, where: str) -> Iterator[tuple[int | None, str, float]]:
    """(number of the parent, text, share) of each step, a parent before its children; the root is no step."""
    _checked(root, where, "text")
    waiting: list[tuple[int | None, Any]] = [(None, child) for child in required(root, where, "children", list)]
    for number, (parent, node) in enumerate(waiting):
        text, share = _checked(node, where, "text")
        waiting.extend((number, child) for child in required(node, where, "children", list))
        yield parent, text, share


def _of_list(prefixes: list[Any], question: str, where: str) -> Iterator[tuple[int | None, str, float]]:
    """The same of a flat list: the parent of a prefix is the longest other one that it begins with."""
    estimates: dict[str, list[float]] = {}
    for item in prefixes:
        prefix, share = _checked(item, where, "solution_prefix")
        if not prefix.startswith(question):
            raise InputError("a prefix does not begin with the question", where=where, got=prefix)
        estimates.setdefault(prefix[len(question) :], []).append(share)
    # The corpus estimates some prefixes twice, by equally many rollouts.
    shares = {prefix: sum(found) / len(found) for prefix, found in estimates.items()}
    parents: dict[str, str] = {}
    open_prefixes: list[str] = []
    for prefix in sorted(shares):
        while open_prefixes and not prefix.startswith(open_prefixes[-1]):
            open_prefixes.pop()
        parents[prefix] = open_prefixes[-1] if open_prefixes else ""
        open_prefixes.append(prefix)
    numbers: dict[str, int] = {}
    for prefix in sorted((prefix for prefix in shares if prefix), key=len):
        parent = parents[prefix]
        yield numbers.get(parent), prefix[len(parent) :], shares[prefix]
        numbers[prefix] = len(numbers)


def _checked(node: Any, where: str, key: str) -> tuple[str, float]:
    text: str = required(node, where, key, str)
    share = node.get("mc_value") if isinstance(node, Mapping) else None
    if isinstance(share, bool) or not isinstance(share, int | float) or not 0 <= share <= 1:
        raise InputError("illegal mc_value", where=where, got=share, expected="a number from 0 to 1")
    return text, float(share)
