"""The figures of a report, as HTML that the page's one copy of plotly draws."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from prmkit.report.read import Run

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

# Okabe and Ito's colours, which people with any colour vision tell apart.
_COLOURS = {"pass": "#999999", "maj": "#e69f00", "prm": "#0072b2", "weighted": "#009e73"}
_MEANING = {
    "pass": "pass@k: any of k is right",
    "maj": "maj@k: the vote",
    "prm": "prm@k: the PRM's choice",
    "weighted": "weighted@k: the vote, weighted by the PRM",
}


def accuracy_figure(run: Run) -> str:
    """Accuracy of each selection rule against the number of samples, with standard errors."""
    import plotly.graph_objects as go

    assert run.evaluation is not None
    figure = go.Figure()
    for rule, colour in _COLOURS.items():
        points = _points(run.evaluation["selection"], rule)
        if len(points) > 1:
            figure.add_scatter(
                x=[k for k, _ in points],
                y=[100 * found["value"] for _, found in points],
                error_y={"type": "data", "array": [100 * (found["stderr"] or 0) for _, found in points]},
                name=_MEANING[rule],
                mode="lines+markers",
                line={"color": colour},
            )
    samples = sorted({k for rule in _COLOURS for k, _ in _points(run.evaluation["selection"], rule)})
    figure.update_xaxes(title="samples a problem", type="log", tickvals=samples, ticktext=[str(k) for k in samples])
    figure.update_yaxes(title="accuracy, %", rangemode="tozero")
    return _html(figure)


def training_figure(run: Run) -> str:
    """Training loss, held-out loss and AUROC against the optimiser steps."""
    import plotly.graph_objects as go

    figure = go.Figure()
    steps = [row["step"] for row in run.history]
    for column, name, colour in (("train_loss", "training loss", "#999999"), ("loss", "held-out loss", "#0072b2")):
        figure.add_scatter(x=steps, y=[row[column] for row in run.history], name=name, line={"color": colour})
    auroc = [row["auroc"] for row in run.history]
    figure.add_scatter(x=steps, y=auroc, name="held-out AUROC", yaxis="y2", line={"color": "#e69f00", "dash": "dot"})
    figure.update_layout(yaxis2={"overlaying": "y", "side": "right", "title": "AUROC", "showgrid": False})
    figure.update_xaxes(title="optimiser steps")
    figure.update_yaxes(title="loss", selector={"anchor": "x"})
    return _html(figure)


def plotly_script() -> str:
    """Plotly itself, as one script element."""
    from plotly.offline import get_plotlyjs

    return f"<script>{get_plotlyjs()}</script>"


def _points(selection: dict[str, Any], rule: str) -> Sequence[tuple[int, dict[str, Any]]]:
    named = [(name.partition("@"), found) for name, found in selection.items()]
    return sorted((int(k), found) for (kind, _, k), found in named if kind == rule)


def _html(figure: "Figure") -> str:
    figure.update_layout(
        template="none",
        height=360,
        margin={"l": 60, "r": 60, "t": 20, "b": 50},
        legend={"orientation": "h", "y": -0.25},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        # One grey that is readable on white and on black: a page cannot tell a drawing the reader's colour scheme.
        font={"color": "#808080"},
    )
    figure.update_xaxes(gridcolor="rgba(128,128,128,0.25)")
    figure.update_yaxes(gridcolor="rgba(128,128,128,0.25)")
    drawn = figure.to_html(full_html=False, include_plotlyjs=False, config={"displaylogo": False, "responsive": True})
    return str(drawn)
