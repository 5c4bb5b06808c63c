"""Accuracy against budget, a figure for each currency that a budget may be in: the paper's Figures 4 and 5."""

from collections.abc import Mapping
from typing import Any

from prmkit.report.blocks import Axis, Figure, Series

AXES = {
    "generations": "generations a problem",
    "generated_tokens": "tokens generated a problem",
    "total_tokens": "tokens of policy and PRM a problem",
    "flops": "FLOPs a problem",
    "seconds": "seconds a problem",
}
_KINDS = {
    "parts": "from one run of independent parts",
    "checkpoints": "from one run, as it went on",
    "point": "one run, one budget",
}


def anytime_figures(curves: Mapping[str, Mapping[str, Any]], name: str) -> list[Figure]:
    """A figure for each axis that was measured; it says of each curve where it comes from."""
    figures = []
    for axis, title in AXES.items():
        series = []
        for strategy, curve in curves.items():
            points = sorted((p for p in curve["points"] if p.get(axis)), key=lambda p, axis=axis: float(p[axis]))  # type: ignore[misc]
            if points:
                series.append(
                    Series(
                        name=f"{strategy} ({_KINDS.get(curve['kind'], curve['kind'])})",
                        x=[p[axis] for p in points],
                        y=[p["accuracy, %"] for p in points],
                        stderr=[p["stderr"] for p in points],
                    )
                )
        if series:
            figures.append(
                Figure(
                    title=f"Accuracy by {title}, {name}",
                    caption="Bars are standard errors over problems.",
                    x=Axis(title=title, log=True),
                    y=Axis(title="accuracy, %"),
                    series=series,
                )
            )
    return figures
