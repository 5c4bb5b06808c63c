"""Accuracy against budget, a figure for each currency that a budget may be in: the paper's Figures 4 and 5."""

import math
from collections.abc import Mapping
from operator import itemgetter

from prmkit.evaluate.anytime import Curve
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


def anytime_figures(curves: Mapping[str, Curve], name: str) -> list[Figure]:
    """A figure for each axis that was measured; it says of each curve where it comes from."""
    figures = []
    for axis, title in AXES.items():
        series = []
        for strategy, curve in curves.items():
            points = sorted(
                ((getattr(point, axis), point.accuracy) for point in curve.points if getattr(point, axis)),
                key=itemgetter(0),
            )
            if points:
                series.append(
                    Series(
                        name=f"{strategy} ({_KINDS[curve.kind]})",
                        x=[spent for spent, _ in points],
                        y=[100.0 * accuracy.value for _, accuracy in points],
                        stderr=[None if math.isnan(each.stderr) else 100.0 * each.stderr for _, each in points],
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
