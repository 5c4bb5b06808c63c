"""Step labels: what an annotation made, and how well a PRM's scores find wrong steps."""

from collections.abc import Iterator, Sequence

from prmkit.report.blocks import Axis, Block, Figure, Heading, Section, Table
from prmkit.report.read import Run
from prmkit.report.sections.histogram import histogram
from prmkit.report.sections.records import cell, records_table

_BINS = 10
_FIGURES = {
    "annotate": ("problems", "trees", "steps", "labelled", "unlabelled", "mean_label"),
    "evaluate": ("solutions", "threshold", "threshold_from", "erroneous", "correct", "f1", "step_auc"),
}


def labels(runs: Sequence[Run]) -> Section:
    """Of each annotation, and of each evaluation of a PRM on labelled steps."""
    return Section("Step labels", [block for run in runs for block in _of(run)])


def _of(run: Run) -> Iterator[Block]:
    if run.stage not in _FIGURES:
        return
    if not any(name in run.metrics for name in ("labelled", "step_auc")):
        return  # an evaluation of solutions
    yield Heading(run.name)
    yield from _spread(run)
    rows = [(name.replace("_", " "), cell(run.metrics[name])) for name in _FIGURES[run.stage] if name in run.metrics]
    if rows:
        yield Table(columns=("figure", "value"), rows=rows)
    if run.metrics.get("by_class"):
        records = [{"class": name, **found} for name, found in run.metrics["by_class"].items()]
        yield records_table(records, "By class")


def _spread(run: Run) -> Iterator[Block]:
    values = [node.label.value for tree in run.trees for node in tree if node.label is not None]
    if values:
        yield Figure(
            title=f"Labels, {run.name}",
            caption="A label is the probability that a step is right, as it was estimated.",
            x=Axis(title="label", range=(0.0, 1.0)),
            y=Axis(title="steps"),
            series=[histogram("steps", values, _BINS)],
        )
