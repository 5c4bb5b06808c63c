"""Accuracy against budget, the strategies of a comparison side by side: the paper's Figures 4 and 5."""

from collections.abc import Mapping
from html import escape
from typing import Any

from prmkit.report.figures import plotly_script

_AXES = {
    "generations": "generations a problem",
    "generated_tokens": "tokens generated a problem",
    "total_tokens": "tokens of policy and PRM a problem",
    "flops": "FLOPs a problem",
    "seconds": "seconds a problem",
}
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9", "#000000", "#999999", "#8c564b")
_KINDS = {
    "parts": "from one run of independent parts",
    "checkpoints": "from one run, as it went on",
    "point": "one run, one budget",
}


def anytime_page(curves: Mapping[str, Mapping[str, Any]]) -> str:
    """One page with a figure for each axis that was measured; it says of each curve where it comes from."""
    import plotly.graph_objects as go

    figures = []
    for axis, title in _AXES.items():
        figure = go.Figure()
        for (name, curve), colour in zip(curves.items(), _COLOURS * len(curves), strict=False):
            points = sorted((point for point in curve["points"] if point[axis]), key=lambda point: float(point[axis]))
            if points:
                figure.add_scatter(
                    x=[point[axis] for point in points],
                    y=[point["accuracy, %"] for point in points],
                    error_y={"type": "data", "array": [point["stderr"] or 0.0 for point in points], "thickness": 1},
                    name=f"{name} ({_KINDS[curve['kind']]})",
                    mode="markers" if curve["kind"] == "point" and len(points) == 1 else "lines+markers",
                    line={"color": colour},
                )
        figure.update_xaxes(title=title, type="log")
        figure.update_yaxes(title="accuracy, %")
        figure.update_layout(template="plotly_white", height=480)
        figures.append(str(figure.to_html(full_html=False, include_plotlyjs=False)))
    title = escape(", ".join(curves))
    return (
        f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{title}</title>{plotly_script()}</head>"
        f"<body style='font-family: sans-serif'>{''.join(figures)}</body></html>\n"
    )
