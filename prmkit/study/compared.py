"""Two further tables of a study: differences that are paired over problems, and what fits into a limit."""

import math
from collections.abc import Iterator, Sequence

from prmkit.evaluate.compare import refuse_other_grading
from prmkit.evaluate.side_by_side import side_by_side
from prmkit.report.study_result import StudyRow
from prmkit.run.folder import RunFolder
from prmkit.run.results import read_result
from prmkit.search.result import COSTS, SearchResult, read_costs
from prmkit.study.grid import Grid
from prmkit.study.recipe import PairsConfig, WithinConfig


def pairs_of(grid: Grid, pairs: PairsConfig) -> Iterator[StudyRow]:
    """The difference of each two values of the axis ``by``, in points of accuracy, with a 95 % bootstrap interval.

    A row for each place on the other axes of the searches; searches that are not done are left out.

    Raises:
        InputError: searches at one place are not of the same problems, or were judged differently.
    """
    others = [axis for axis in grid.plan.over[pairs.of] if axis != pairs.by]
    values = [point[pairs.by] for point in grid.plan.points([pairs.by])]
    for point in grid.plan.points(others):
        cells = {str(value): grid.cell(pairs.of, {**point, pairs.by: value}) for value in values}
        folders = {name: RunFolder(cell.folder) for name, cell in cells.items() if cell.done}
        folders = {name: folder for name, folder in folders.items() if folder.trees.with_name(COSTS).is_file()}
        results = {name: read_result(folder.metrics_file, SearchResult) for name, folder in folders.items()}
        refuse_other_grading([(name, result.grading) for name, result in results.items()])
        compared = side_by_side({name: read_costs(folder.trees) for name, folder in folders.items()}, seed=0)
        for row in compared.differences:
            yield {
                **point,
                "difference": row.pair,
                "points": 100 * row.difference.value,
                "stderr": None if math.isnan(row.difference.stderr) else 100 * row.difference.stderr,
                "low": 100 * row.low,
                "high": 100 * row.high,
            }


def within_limits(rows: Sequence[StudyRow], config: WithinConfig, series: str, y: str) -> Iterator[StudyRow]:
    """At each limit, of each series the row that costs most and not more; where even the least costs more, none.

    So a strategy that has no answer before its end is given the largest run that ends in time, and one that could have
    been stopped earlier is not given the part of a larger one.
    """
    for limit in config.limits:
        for name in dict.fromkeys(row[series] for row in rows):
            fitting = [row for row in rows if row[series] == name and (row.get(config.cost) or math.inf) <= limit]
            best = max(fitting, key=lambda row: row[config.cost], default=None)
            kept = {key: value for key, value in (best or {}).items() if key not in (series, config.cost)}
            yield {
                f"{config.cost}, at most": limit,
                series: name,
                config.cost: best and best[config.cost],
                y: None,
                **kept,
            }
