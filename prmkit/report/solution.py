"""One problem of a search, its best and its worst scored solution step by step."""

from html import escape

from prmkit.report.read import Run
from prmkit.score.aggregate import aggregate
from prmkit.tree import StepTree


def scored_solution(run: Run) -> str:
    """The first problem with a right and a wrong finished solution; empty if there is none, or no step has a score.

    The rule favours nothing: which solution the PRM preferred is not looked at.
    """
    verdicts = (run.evaluation or {}).get("correct", {})
    for tree in run.trees:
        leaves = tree.leaves()
        right = dict(zip(leaves, verdicts.get(tree.problem.id, ()), strict=False))
        finished = [leaf for leaf in leaves if tree.finished(leaf) and _scored(tree, leaf)]
        if {right.get(leaf) for leaf in finished} == {True, False}:
            ranked = sorted(finished, key=lambda leaf: _score(run, tree, leaf))
            shown = [_solution(run, tree, leaf, bool(right[leaf])) for leaf in (ranked[-1], ranked[0])]
            return f"<p><b>{escape(tree.problem.prompt)}</b></p>{''.join(shown)}"
    return ""


def _solution(run: Run, tree: StepTree, leaf: int, right: bool) -> str:
    steps = [_step(tree.nodes[node].text, tree.nodes[node].score or 0.0) for node in tree.path(leaf)]
    verdict = "right" if right else "wrong"
    return f"<h3>Score {_score(run, tree, leaf):.3f}, {verdict}</h3><table class=steps>{''.join(steps)}</table>"


def _step(text: str, score: float) -> str:
    bar = f'<meter min="0" max="1" value="{score:.3f}">{score:.3f}</meter>'
    return f"<tr><td><code>{escape(text)}</code></td><td>{bar}</td><td>{score:.3f}</td></tr>"


def _scored(tree: StepTree, leaf: int) -> bool:
    return all(tree.nodes[node].score is not None for node in tree.path(leaf))


def _score(run: Run, tree: StepTree, leaf: int) -> float:
    assert run.evaluation is not None
    return aggregate([tree.nodes[node].score or 0.0 for node in tree.path(leaf)], run.evaluation["aggregation"])
