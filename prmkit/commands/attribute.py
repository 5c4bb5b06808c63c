"""``prmkit attribute``: which tokens and steps made a PRM's scores of one solution."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prmkit.commands.console import JsonOption, OverwriteOption, print_json, print_record
from prmkit.errors import InputError
from prmkit.run.activity import busy
from prmkit.tree import ROOT

if TYPE_CHECKING:
    from prmkit.attribution import Attribution
    from prmkit.tree import StepTree


def attribute(
    prm: Annotated[str, typer.Argument(metavar="CHECKPOINT", help="The PRM: a folder, or org/name[@revision].")],
    trees: Annotated[Path, typer.Argument(metavar="TREES", help="A file of trees, or a search run.")],
    problem: Annotated[
        str | None, typer.Option("--problem", metavar="ID", help="Which problem; by default the first.")
    ] = None,
    leaf: Annotated[
        int | None,
        typer.Option("--leaf", metavar="NODE", help="Last step of the solution; by default the chosen or first one."),
    ] = None,
    step: Annotated[
        int | None,
        typer.Option("--step", min=1, help="Whose score is explained; by default the first below 0.5, or the lowest."),
    ] = None,
    samples: Annotated[int, typer.Option("--samples", min=1, help="Random orders for Shapley values.")] = 25,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of these.")] = 0,
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The page.")] = Path("attribution.html"),
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Attribute step scores to tokens and steps, and write one HTML page.

    In a run folder the attribution is kept too, for prmkit report.
    """
    from prmkit.attribution.page import attribution_page
    from prmkit.attribution.record import add_record
    from prmkit.run.files import refuse_existing, write_whole, writing
    from prmkit.run.folder import RunFolder
    from prmkit.trees_io import read_trees

    refuse_existing(out, overwrite=overwrite)
    file = trees / "trees.jsonl" if trees.is_dir() else trees
    tree = next((tree for tree in read_trees(file) if problem in (None, tree.problem.id)), None)
    if tree is None:
        raise InputError("no such problem", where=file, got=problem, cure="Leave --problem out for the first one.")
    last = _leaf(tree, leaf)
    steps = tree.steps(last)
    if step is not None and step > len(steps):
        raise InputError("no such step", where=tree.problem.id, got=step, expected=f"1 to {len(steps)}")

    with busy(f"attributing the scores of {tree.problem.id}"):
        import torch

        from prmkit.attribution.explain import attribute as explain
        from prmkit.models.backbone import accelerator
        from prmkit.models.checkpoint import load_prm

        loaded = load_prm(prm, device=accelerator(), dtype=torch.float32)
        which = None if step is None else step - 1
        found = explain(loaded, tree.problem, steps, step=which, samples=samples, seed=seed)
    with writing(out):
        write_whole(out, attribution_page(found, f"Scores of {tree.problem.id}").encode())
        wrote = [str(out)]
        if RunFolder(file.parent).record.is_file():
            wrote.append(str(add_record(found, file.parent, problem_id=tree.problem.id, leaf=last)))
    if as_json:
        print_json({"wrote": str(out), **found.as_dict()})
    else:
        print_record({"wrote": ", ".join(wrote), **_summary(found)}, as_json=False)


def _leaf(tree: "StepTree", leaf: int | None) -> int:
    leaves = tree.leaves()
    if not leaves:
        raise InputError("the problem has no solution", where=tree.problem.id)
    if leaf is None:
        return leaves[0] if tree.chosen == ROOT else tree.chosen
    if not 0 <= leaf < len(tree):
        raise InputError("no such node", where=tree.problem.id, got=leaf, expected=f"0 to {len(tree) - 1}")
    return leaf


def _summary(found: "Attribution") -> dict[str, Any]:
    """Scores and influences as tables, and how far the token attributions can be trusted."""
    steps = []
    for number, (text, score) in enumerate(zip(found.steps, found.scores, strict=True)):
        influence = {
            f"{one.method} on score {found.explained + 1}": one.matrix[number][found.explained] for one in found.by_step
        }
        steps.append({"step": number + 1, "score": score, **influence, "text": text})
    methods = [
        {
            "tokens by": one.method,
            "delta": "" if one.relative_delta is None else f"{100 * one.relative_delta:.2f} %",
            "fall without the largest tenth": one.ablation,
            "without random ones": one.random_ablation,
        }
        for one in found.by_token
    ]
    lowest = {f"lowered most by step ({one.method})": one.lowering(found.explained)[0] + 1 for one in found.by_step}
    return {"steps": steps, "methods": methods, "explained score": found.explained + 1, **lowest}
