"""``prmkit evaluate --select`` and ``--anytime``: what a search would have answered by another rule, or earlier."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson

from prmkit.commands.console import print_json, print_record
from prmkit.errors import InputError
from prmkit.run.files import refuse_existing, writing
from prmkit.run.folder import RunFolder


def print_selection(folder: Path, *, overwrite: bool, as_json: bool) -> None:
    """The accuracy of every rule and aggregation, from the trees of a run; written to selection.json."""
    from prmkit.evaluate.select import select
    from prmkit.trees_io import read_trees

    refuse_existing(folder / "selection.json", overwrite=overwrite)
    tables = {name: select(list(read_trees(run.trees))) for name, run in runs_in(folder).items()}
    rows = [{"strategy": name, **row} for name, table in tables.items() for row in table]
    _write_and_print(folder / "selection.json", {"selection": rows}, as_json=as_json)


def print_anytime(folder: Path, *, overwrite: bool, as_json: bool) -> None:
    """The accuracy of each run at every budget; written to anytime.json, and drawn to anytime.html."""
    from prmkit.report.blocks import Section
    from prmkit.report.page import write_page
    from prmkit.report.sections.anytime import anytime_figures

    refuse_existing(folder / "anytime.json", overwrite=overwrite)
    curves = {name: curve_of(run) for name, run in runs_in(folder).items()}
    rows = [
        {"strategy": name, "from": curve["kind"], **point}
        for name, curve in curves.items()
        for point in curve["points"]
    ]
    _write_and_print(
        folder / "anytime.json",
        {"curves": curves, "points": rows},
        as_json=as_json,
        shown="points",
    )
    section = Section("Accuracy against budget", anytime_figures(curves, folder.resolve().name))
    with writing(folder):
        write_page(folder / "anytime.html", title=", ".join(curves), sections=[section])


def print_rethinking(folder: Path, *, overwrite: bool, as_json: bool) -> None:
    """What the PRM says of steps that think again; written to rethinking.json."""
    from prmkit.evaluate.rethinking import rethinking
    from prmkit.trees_io import read_trees

    refuse_existing(folder / "rethinking.json", overwrite=overwrite)
    run = RunFolder(folder)
    if not run.trees.is_file():
        raise InputError("no search run here", where=folder, expected="a trees.jsonl")
    found = rethinking(list(read_trees(run.trees)))
    _write_and_print(folder / "rethinking.json", found, as_json=as_json)


def curve_of(run: RunFolder) -> dict[str, Any]:
    """The curve of one run, by the rule that its strategy answers by.

    Raises:
        InputError: the run has no trees or no costs.
    """
    from prmkit.evaluate.anytime import anytime
    from prmkit.search.problem_set import read_costs
    from prmkit.trees_io import read_trees
    from prmkit.yaml_io import read_yaml

    strategy = read_yaml(run.record).values["recipe"]["strategy"]
    trees = list(read_trees(run.trees))
    rules = {"majority": "majority", "weighted-best-of-n": "weighted"}
    rule: Any = strategy["options"].get("answer_by") or rules.get(strategy["name"], "best")
    return anytime(
        trees,
        read_costs(run.trees),
        rule="best" if rule == "visits" else rule,
        how=trees[0].meta.get("aggregation", "last"),  # type: ignore[arg-type]  # written by search, which validated it
    )


def runs_in(folder: Path) -> dict[str, RunFolder]:
    """The search run in a folder, or those side by side within it, by name.

    Raises:
        InputError: there is none.
    """
    if RunFolder(folder).trees.is_file():
        return {folder.resolve().name: RunFolder(folder)}
    found = {
        child.name: RunFolder(child)
        for child in sorted(folder.iterdir() if folder.is_dir() else ())
        if RunFolder(child).trees.is_file()
    }
    if not found:
        raise InputError("no search run here", where=folder, expected="a trees.jsonl, or folders with one")
    return found


def _write_and_print(file: Path, result: Mapping[str, Any], *, as_json: bool, shown: str | None = None) -> None:
    with writing(file.parent):
        file.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2) + b"\n")
    if as_json:
        print_json({"wrote": str(file), **result})
    else:
        print_record({"wrote": str(file), **({shown: result[shown]} if shown else result)}, as_json=False)
