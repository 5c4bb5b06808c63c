"""Step labels: what an annotation made, and how well a PRM's scores find wrong steps."""

from collections.abc import Iterator, Sequence

from prmkit.annotate.result import AnnotationResult
from prmkit.evaluate.labelled import StepsResult
from prmkit.report.blocks import Axis, Block, Figure, Heading, Section, Table, histogram
from prmkit.report.read import Run
from prmkit.report.sections.records import cell, record_of, records_table

_BINS = 10
_FIGURES = {
    AnnotationResult: ("problems", "trees", "steps", "labelled", "unlabelled", "mean_label"),
    StepsResult: ("solutions", "threshold", "threshold_from", "erroneous", "correct", "f1", "step_auc"),
}


def labels(runs: Sequence[Run]) -> Section:
    """Of each annotation, and of each evaluation of a PRM on labelled steps."""
    return Section("Step labels", [block for run in runs for block in _of(run)])


def _of(run: Run) -> Iterator[Block]:
    names = next((names for kind, names in _FIGURES.items() if isinstance(run.result, kind)), None)
    if names is None:
        return
    yield Heading(run.name)
    yield from _spread(run)
    figures = [(name, getattr(run.result, name)) for name in names]
    rows = [(name.replace("_", " "), cell(value)) for name, value in figures if value is not None]
    yield Table(columns=("figure", "value"), rows=rows)
    if isinstance(run.result, StepsResult) and run.result.by_class is not None:
        found = run.result.by_class
        records = [{"class": name, **record_of(report)} for name, report in found.classes.items()]
        yield records_table(records, "By class")
        scores = {**found.categories, "all steps": found.prm_score}
        yield records_table([{"category": name, "prm_score": score} for name, score in scores.items()], "By category")


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
