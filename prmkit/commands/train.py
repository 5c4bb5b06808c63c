"""``prmkit train``: from labelled trees to a PRM."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from prmkit.commands.console import (
    DryRunOption,
    JsonOption,
    OutOption,
    OverwriteOption,
    RecipeArgument,
    ResumeOption,
    SetOption,
    is_terminal,
    print_record,
    print_table,
)

if TYPE_CHECKING:
    from prmkit.recipe.schema import DataConfig
    from prmkit.tree import StepTree


def train(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    out: OutOption = None,
    dry_run: DryRunOption = False,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a PRM and write its checkpoint, run.yaml and metrics.json to the run folder."""
    from prmkit.recipe.bind import Row, bind_stage, describe
    from prmkit.recipe.catalog import locate
    from prmkit.recipe.compose import compose
    from prmkit.recipe.schema import TrainRecipe
    from prmkit.run import RunFolder, writing

    composed = compose(locate(recipe), overrides or [])
    bound = bind_stage(composed, TrainRecipe)
    if dry_run:
        print_table(Row._fields, describe(composed, bound), as_json=as_json)
        return
    run = RunFolder.create(
        out or default_out(composed.path),
        bound.model_dump(mode="json"),
        inputs=local_inputs(bound.data),
        seed=bound.seed,
        resume=resume,
        overwrite=overwrite,
    )
    if not (resume and run.checkpoint.exists()):
        # Loading trees and torch takes seconds; what could be refused without them has been refused by now.
        from prmkit.train.fit import train_prm

        trees = read_trees(bound.data)
        with writing(run.path):
            result = train_prm(
                trees,
                bound.model,
                bound.train,
                run.path,
                seed=bound.seed,
                label_source=label_source(trees),
                progress=is_terminal(),
            )
        run.metrics(result.metrics)
    if not run.follower:
        print_record({"run": str(run.path), **run.read_metrics()}, as_json=as_json)


def default_out(recipe: Path) -> Path:
    """The run folder of a recipe that names none: ``runs/prm800k-7b`` for ``recipes/prm800k/7b.yaml``."""
    return Path("runs", f"{recipe.resolve().parent.name}-{recipe.stem}")


def local_inputs(data: "DataConfig") -> list[Path]:
    """The files or folders of this machine that a run reads."""
    return [] if data.path.startswith("hub:") else [Path(data.path)]


def label_source(trees: Iterable["StepTree"]) -> str:
    """Where the labels came from; several sources joined by ``+``."""
    return "+".join(sorted({node.label.source for tree in trees for node in tree if node.label is not None}))
