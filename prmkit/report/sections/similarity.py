"""Similarity of activation patterns: Table 2 of the paper, as colours, by layer, and what checks it."""

import math
from collections.abc import Iterator, Sequence

from prmkit.report.blocks import Axis, Block, Figure, Heading, Section, Series, Table
from prmkit.report.read import Run
from prmkit.report.sections.records import records_table
from prmkit.similarity.result import SimilarityResult
from prmkit.similarity.statistics.result import SetScore

_ALSO = {
    "differences": "Chosen sets less the sets they were chosen from",
    "random_selection": "Against random selection",
    "baselines": "Baselines",
    "mmd": "Squared maximum mean discrepancy",
    "texts": "The texts themselves",
}


def similarity(runs: Sequence[Run]) -> Section:
    """Of each similarity run."""
    compared = [(run, run.result) for run in runs if isinstance(run.result, SimilarityResult)]
    return Section("Similarity of activation patterns", [block for run, found in compared for block in _of(run, found)])


def _of(run: Run, found: SimilarityResult) -> Iterator[Block]:
    yield Heading(run.name)
    yield _matrix(run, found.table)
    yield Table(
        title="Mean cosine of each pair of sets",
        columns=("sets", "mean cosine, %", "sum of cosines", "pairs", "chance, %"),
        rows=[
            (
                f"{row.first} and {row.second}",
                f"{100 * row.mean:.2f}" + ("" if math.isnan(row.stderr) else f" ± {100 * row.stderr:.2f}"),
                f"{row.sum:.1f}",
                row.pairs,
                None if row.chance is None else f"{100 * row.chance:.2f}",
            )
            for row in found.table
        ],
    )
    if len(found.profile) > 1:
        layers = [row.layer for row in found.profile]
        yield Figure(
            title=f"Similarity by layer, {run.name}",
            x=Axis(title="layer"),
            y=Axis(title="mean cosine, %"),
            series=[
                Series(name=pair, x=layers, y=[100 * row.means[pair] for row in found.profile])
                for pair in found.profile[0].means
            ],
        )
    for key, title in _ALSO.items():
        if rows := getattr(found, key):
            yield records_table([dict(row) for row in rows], title)


def _matrix(run: Run, rows: Sequence[SetScore]) -> Figure:
    names = list(dict.fromkeys(name for row in rows for name in (row.first, row.second)))
    means = {pair: 100 * row.mean for row in rows for pair in ((row.first, row.second), (row.second, row.first))}
    return Figure(
        title=f"Mean cosine, {run.name}",
        caption="In per cent. A score between two sets says little without the scores within them, on the diagonal.",
        x=Axis(title=""),
        y=Axis(title=""),
        rows=names,
        columns=names,
        matrix=[[means.get((one, other)) for other in names] for one in names],
    )
