"""Similarity of activation patterns: Table 2 of the paper, as colours, by layer, and what checks it."""

from collections.abc import Iterator, Sequence
from typing import Any

from prmkit.report.blocks import Axis, Block, Figure, Heading, Section, Series, Table
from prmkit.report.read import Run
from prmkit.report.sections.records import records_table

_ALSO = {
    "differences": "Chosen sets less the sets they were chosen from",
    "random_selection": "Against random selection",
    "baselines": "Baselines",
    "mmd": "Squared maximum mean discrepancy",
    "texts": "The texts themselves",
}


def similarity(runs: Sequence[Run]) -> Section:
    """Of each similarity run."""
    compared = [run for run in runs if run.stage == "similarity"]
    return Section("Similarity of activation patterns", [block for run in compared for block in _of(run)])


def _of(run: Run) -> Iterator[Block]:
    rows = run.metrics["table"]
    yield Heading(run.name)
    yield _matrix(run, rows)
    yield Table(
        title="Mean cosine of each pair of sets",
        columns=("sets", "mean cosine, %", "sum of cosines", "pairs", "chance, %"),
        rows=[
            (
                f"{row['first']} and {row['second']}",
                f"{row['mean']:.2f}" + ("" if row["stderr"] is None else f" ± {row['stderr']:.2f}"),
                f"{row['sum']:.1f}",
                row["pairs"],
                f"{row['chance']:.2f}",
            )
            for row in rows
        ],
    )
    profile = run.metrics.get("profile") or []
    if len(profile) > 1:
        layers = [row["layer"] for row in profile]
        yield Figure(
            title=f"Similarity by layer, {run.name}",
            x=Axis(title="layer"),
            y=Axis(title="mean cosine, %"),
            series=[
                Series(name=pair, x=layers, y=[row[pair] for row in profile]) for pair in profile[0] if pair != "layer"
            ],
        )
    for key, title in _ALSO.items():
        if run.metrics.get(key):
            yield records_table(run.metrics[key], title)


def _matrix(run: Run, rows: Sequence[dict[str, Any]]) -> Figure:
    names = list(dict.fromkeys(row[side] for row in rows for side in ("first", "second")))
    means = {(row[a], row[b]): row["mean"] for row in rows for a, b in (("first", "second"), ("second", "first"))}
    return Figure(
        title=f"Mean cosine, {run.name}",
        caption="In per cent. A score between two sets says little without the scores within them, on the diagonal.",
        x=Axis(title=""),
        y=Axis(title=""),
        rows=names,
        columns=names,
        matrix=[[means.get((one, other)) for other in names] for one in names],
    )
