"""Similarity of activation patterns: Table 2 of the paper, as colours, by layer, and what checks it."""

import math
from collections.abc import Iterator, Sequence

from prmkit.report.blocks import Axis, Block, Figure, Heading, Section, Series, Table
from prmkit.report.estimates import with_error
from prmkit.report.read import Run
from prmkit.report.sections.records import cell, records_table
from prmkit.similarity.result import SimilarityResult
from prmkit.similarity.statistics.result import BaselineScore, SelectionTest, SetScore
from prmkit.stats import Estimate


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
                _sets(row),
                _percent(row.mean, row.stderr),
                f"{row.sum:.1f}",
                row.pairs,
                None if row.chance is None else _percent(row.chance),
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
    yield from (table for table in _checks(found) if table.rows)


def _checks(found: SimilarityResult) -> Iterator[Table]:
    """What the means are held against; tables without a row are of what was not computed."""
    yield Table(
        title="Chosen sets less the sets they were chosen from",
        columns=("sets", "less", "difference, points", "95 % interval", "problems"),
        rows=[
            (row.pair, row.less, _percent(row.difference, row.stderr), _interval(row.low, row.high), row.problems)
            for row in found.differences
        ],
        texts=2,
    )
    yield Table(
        title="Against random selection",
        columns=("sets", "strata", "observed, %", "expected, %", "95 % of draws", "p", "p (Holm)", "problems", "free"),
        rows=[
            (
                _sets(row),
                row.strata,
                _percent(row.observed),
                _percent(row.expected),
                _interval(row.low, row.high),
                cell(row.p_value),
                cell(row.p_holm),
                row.problems,
                row.free,
            )
            for row in found.random_selection
        ],
        texts=2,
    )
    yield Table(
        title="Baselines",
        columns=("baseline", "sets", "mean, %"),
        rows=[(row.baseline, _sets(row), _percent(row.mean, row.stderr)) for row in found.baselines],
        texts=2,
    )
    if found.mmd:
        yield records_table(found.mmd, "Squared maximum mean discrepancy")
    if found.texts:
        yield records_table(found.texts, "The texts themselves")


def _sets(row: SetScore | SelectionTest | BaselineScore) -> str:
    return f"{row.first} and {row.second}"


def _percent(value: float, stderr: float = math.nan) -> str:
    return with_error(Estimate(value=value, stderr=stderr, n=0), scale=100.0, digits=2)


def _interval(low: float, high: float) -> str | None:
    return None if math.isnan(low) else f"{100 * low:.2f} to {100 * high:.2f}"


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
