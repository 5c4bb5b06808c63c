"""The paper's Figures 4 and 5 on the embedded world: every strategy at equal generations and at equal seconds.

    prmkit demo --out runs/demo                                       # a policy and a PRM
    python bench/experiments/strategies.py --demo runs/demo --out runs/strategies

Goes on where it was stopped. Writes generations.csv, seconds.csv, differences.csv, figure-4.html and figure-5.html. At
equal seconds a strategy that has no answer before its end (beam, greedy, DVTS, particles) gets the largest n of the
first part that took it no longer; the clock then binds it like the others, and the measured time is plotted.
"""

import argparse
import csv
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from prmkit.recipe.bind import bind
from prmkit.recipe.compose import compose
from prmkit.recipe.execute import prepare
from prmkit.report.blocks import Section
from prmkit.report.page import write_page
from prmkit.report.sections.anytime import anytime_figures
from prmkit.run import RunFolder

RECIPE = Path(__file__).parents[2] / "recipes" / "synthetic" / "strategies.yaml"
ANYTIME = ("majority", "best-of-n", "weighted-best-of-n", "adaptive-best-of-n", "mcts", "mcts-prm")
ENOUGH = 4096
"""Solutions or simulations of a strategy that only the clock ends."""


def strategies(n: int) -> dict[str, dict[str, Any]]:
    """Every strategy at n generations; of those that may ask for more, the shared budget decides."""
    return {
        "majority": {"name": "majority", "options": {"n": n}},
        "best-of-n": {"name": "best-of-n", "options": {"n": n}},
        "weighted-best-of-n": {"name": "weighted-best-of-n", "options": {"n": n}},
        "adaptive-best-of-n": {"name": "adaptive-best-of-n", "options": {"n": 4 * n, "confidence": 0.9}},
        "greedy": {"name": "greedy", "options": {"n": n}},
        "beam": {"name": "beam", "options": {"n": n}},
        "beam-merge": {"name": "beam", "options": {"n": n, "merge": True}},
        "dvts": {"name": "dvts", "options": {"n": n}},
        "mcts": {"name": "mcts", "options": {"n": 4 * n, "parallel": max(1, n // 4)}},
        "mcts-prm": {"name": "mcts", "options": {"n": 4 * n, "value": "prm", "parallel": max(1, n // 4)}},
        "particle-filtering": {"name": "particle-filtering", "options": {"n": n}},
    }


def searched(
    out: Path, demo: Path, compare: Mapping[str, Any], budget: Mapping[str, Any], options: Sequence[str]
) -> dict[str, Any]:
    """The strategies side by side under one budget, in a run folder that is gone on with."""
    overrides = [
        f"generator.name={demo}/world/policy",
        f"scorer.checkpoint={demo}/train/checkpoint",
        f"budget={json.dumps({**budget, 'shared': True})}",  # JSON is YAML on one line
        f"compare={json.dumps(compare)}",
        *options,
    ]
    recipe = bind(compose(RECIPE, overrides))
    values = recipe.model_dump(mode="json")
    folder = RunFolder.create(out, values, seed=values["seed"], resume=True)
    if folder.metrics_file.exists():
        return folder.read_metrics()
    print(out, flush=True)
    return prepare(recipe)(folder)


def at_equal_generations(out: Path, demo: Path, budgets: Sequence[int], options: Sequence[str]) -> list[dict[str, Any]]:
    """A row a budget and strategy."""
    rows = []
    for n in budgets:
        found = searched(out / f"generations-{n}", demo, strategies(n), {"generations": n}, options)
        rows += [{"budget": n, **row} for row in found["strategies"]]
        _write(out / "differences.csv", [{"budget": n, **row} for row in found["differences"]], append=n != budgets[0])
    _write(out / "generations.csv", rows)
    return rows


def at_equal_seconds(
    out: Path, demo: Path, seconds: Sequence[float], measured: Sequence[Mapping[str, Any]], options: Sequence[str]
) -> list[dict[str, Any]]:
    """A row a time and strategy."""
    rows = []
    for limit in seconds:
        compare = {}
        for name in strategies(4):
            fitting = [row["budget"] for row in measured if row["strategy"] == name and row["seconds"] <= limit]
            n = ENOUGH if name in ANYTIME else max(fitting, default=min(row["budget"] for row in measured))
            compare[name] = strategies(n)[name]
            if name.startswith("mcts"):
                compare[name]["options"]["parallel"] = 4
        found = searched(out / f"seconds-{limit:g}", demo, compare, {"seconds": limit}, options)
        rows += [{"budget": limit, **row} for row in found["strategies"]]
    _write(out / "seconds.csv", rows)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--demo", type=Path, required=True, help="folder of a finished `prmkit demo`")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--generations", type=int, nargs="+", default=[4, 16, 64])
    parser.add_argument("--seconds", type=float, nargs="*", default=[0.02, 0.08, 0.3], help="a problem, over the run")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", dest="options")
    given = parser.parse_args()
    by_generations = at_equal_generations(given.out, given.demo, given.generations, given.options)
    by_seconds = at_equal_seconds(given.out, given.demo, given.seconds, by_generations, given.options)
    for name, found in (("figure-4", by_generations), ("figure-5", by_seconds)):
        sections = [Section("Accuracy against budget", anytime_figures(_curves(found), name))]
        write_page(given.out / f"{name}.html", title=name, sections=sections)
    for row in [*by_generations, *by_seconds]:
        print(f"{row['budget']:6g}  {row['strategy']:20}  {row['accuracy, %']:5.1f} ± {row['stderr']:.1f}", end="  ")
        print(f"{row['generations']:7.1f} generations  {row['total_tokens']:9.0f} tokens  {row['seconds']:.3f} s")


def _curves(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    names = dict.fromkeys(row["strategy"] for row in rows)
    return {name: {"kind": "point", "points": [row for row in rows if row["strategy"] == name]} for name in names}


def _write(file: Path, rows: Sequence[Mapping[str, Any]], *, append: bool = False) -> None:
    with file.open("a" if append else "w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, fieldnames=list(rows[0]) if rows else [])
        if not append:
            writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
