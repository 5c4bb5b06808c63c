"""The verbs that run a recipe: annotate, train, search, similarity. Each binds it, opens a run folder, runs, prints."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from prmkit.commands.console import (
    DryRunOption,
    JsonOption,
    OutOption,
    OverwriteOption,
    RecipeArgument,
    ResumeOption,
    SetOption,
    print_record,
    print_table,
    progress,
)
from prmkit.run import RunFolder, writing

if TYPE_CHECKING:  # pydantic and the schemas take as long to import as --help may take in all
    from pydantic import BaseModel

    from prmkit.recipe.compose import Composed

    Recipe = TypeVar("Recipe", bound=BaseModel)


def annotate(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    out: OutOption = None,
    dry_run: DryRunOption = False,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Label the steps of solutions with a policy, and write trees.jsonl."""
    from prmkit.recipe.schema import AnnotateRecipe

    composed, bound = _bound(recipe, overrides, AnnotateRecipe)
    if dry_run:
        _print_origins(composed, bound, as_json=as_json)
        return
    from prmkit.recipe.execute import problems_of, run_annotate

    problems = [problem for config in bound.problems for problem in problems_of(config)]
    inputs = [config.path for config in bound.problems if config.path is not None]
    run = _opened(composed, bound, out, inputs=inputs, seed=bound.seed, resume=resume, overwrite=overwrite)
    with writing(run.path), progress("annotate", len(problems)) as done:
        metrics = run_annotate(bound, problems, run, lambda session: done())
    print_record({"run": str(run.path), "wrote": str(run.trees), **metrics}, as_json=as_json)


def train(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    out: OutOption = None,
    dry_run: DryRunOption = False,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Train a PRM on labelled trees, and write its checkpoint."""
    from prmkit.recipe.schema import TrainRecipe
    from prmkit.rows_io import HUB

    composed, bound = _bound(recipe, overrides, TrainRecipe)
    if dry_run:
        _print_origins(composed, bound, as_json=as_json)
        return
    inputs = [] if bound.data.path.startswith(HUB) else [bound.data.path]
    run = _opened(composed, bound, out, inputs=inputs, seed=bound.seed, resume=resume, overwrite=overwrite)
    if not (resume and run.checkpoint.exists()):
        from prmkit.recipe.execute import run_train

        with writing(run.path):
            run_train(bound, run, progress=True)
    if not run.follower:
        record = {"run": str(run.path), "wrote": str(run.checkpoint), **run.read_metrics()}
        print_record(record, as_json=as_json)


def search(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    out: OutOption = None,
    dry_run: DryRunOption = False,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Solve problems with a policy, a PRM and a search strategy, and write trees.jsonl."""
    from prmkit.recipe.schema import SearchRecipe

    composed, bound = _bound(recipe, overrides, SearchRecipe)
    if dry_run:
        _print_origins(composed, bound, as_json=as_json)
        return
    from prmkit.recipe.execute import problems_of, run_search

    problems = problems_of(bound.problems)
    inputs = [] if bound.problems.path is None else [bound.problems.path]
    run = _opened(composed, bound, out, inputs=inputs, seed=bound.seed, resume=resume, overwrite=overwrite)
    with writing(run.path), progress("search", len(problems)) as done:
        metrics = run_search(bound, problems, run, lambda session: done())
    print_record({"run": str(run.path), "wrote": str(run.trees), **metrics}, as_json=as_json)


def similarity(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    out: OutOption = None,
    dry_run: DryRunOption = False,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compare how a model processes sets of responses, by activation patterns."""
    from prmkit.recipe.schema import SimilarityRecipe

    composed, bound = _bound(recipe, overrides, SimilarityRecipe)
    if dry_run:
        _print_origins(composed, bound, as_json=as_json)
        return
    from prmkit.recipe.execute import run_similarity

    inputs = [config.trees for config in bound.sets.values()]
    run = _opened(composed, bound, out, inputs=inputs, seed=bound.seed, resume=False, overwrite=overwrite)
    with writing(run.path):
        metrics = run_similarity(bound, run)
    table = metrics.pop("table")
    if as_json:
        print_record({"run": str(run.path), "table": table, **metrics}, as_json=True)
    else:
        print_table(list(table[0]), [list(row.values()) for row in table], as_json=False)
        print_record({"run": str(run.path), **metrics}, as_json=False)


def _bound(recipe: str, overrides: list[str] | None, kind: "type[Recipe]") -> "tuple[Composed, Recipe]":
    from prmkit.recipe.bind import bind_stage
    from prmkit.recipe.catalog import locate
    from prmkit.recipe.compose import compose

    composed = compose(locate(recipe), overrides or [])
    return composed, bind_stage(composed, kind)


def _print_origins(composed: "Composed", bound: "BaseModel", *, as_json: bool) -> None:
    from prmkit.recipe.bind import Row, describe

    print_table(Row._fields, describe(composed, bound), as_json=as_json)


def _opened(
    composed: "Composed",
    bound: "BaseModel",
    out: Path | None,
    *,
    inputs: Sequence[str],
    seed: int,
    resume: bool,
    overwrite: bool,
) -> RunFolder:
    """The run folder; without --out, ``runs/prm800k-7b`` for ``recipes/prm800k/7b.yaml``."""
    return RunFolder.create(
        out or Path("runs", f"{composed.path.resolve().parent.name}-{composed.path.stem}"),
        bound.model_dump(mode="json"),
        inputs=[Path(path) for path in dict.fromkeys(inputs)],
        seed=seed,
        resume=resume,
        overwrite=overwrite,
    )
