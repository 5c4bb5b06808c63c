"""``prmkit similarity``: compare sets of responses, look at a Gram again, check whether to trust a machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
import typer

from prmkit.commands.console import JsonOption, SetOption, default_verb, print_record, print_table
from prmkit.commands.runs import composed_recipe, recipe_verb
from prmkit.errors import InputError, RunError
from prmkit.run.activity import busy

if TYPE_CHECKING:
    from prmkit.recipe.compose import Composed

_DEFAULT = "similarity/paper"


app = typer.Typer(
    cls=default_verb("run"),
    help="Compare how a model processes sets of responses, by activation patterns. Without a verb: run.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _composed(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="[RECIPE] [NAME=FILE|RUN]...",
            help=f"A recipe (by default {_DEFAULT}), and sets of responses: a file of rows with prompt and response, a "
            "file of trees, or a search run, which gives NAME and NAME_prm, all its solutions and the chosen ones.",
        ),
    ],
    reference: Annotated[
        str | None, typer.Option("--reference", metavar="MODEL", help="The model whose patterns are compared.")
    ] = None,
    overrides: SetOption = None,
) -> "Composed":
    """Print Table 2: every pair of sets, its mean cosine with error, sum, chance level, centred value; and tests."""
    recipe = arguments.pop(0) if "=" not in arguments[0] else _DEFAULT
    values = [override for argument in arguments for override in _set_overrides(argument)]
    if reference is not None:
        values.append(f"reference.name={orjson.dumps(reference).decode()}")
    return composed_recipe(recipe, [*values, *(overrides or [])])


app.command("run")(recipe_verb("similarity", _composed))


@app.command("show")
def show(
    folder: Annotated[Path, typer.Argument(metavar="RUN", help="A similarity run, or its folder gram.")],
    layers: Annotated[
        str | None, typer.Option("--layers", metavar="START:STOP", help="Layers START to STOP - 1.")
    ] = None,
    kind: Annotated[str | None, typer.Option("--kind", help="attention or mlp alone.")] = None,
    normalise: Annotated[
        Literal["whole", "layer"] | None, typer.Option("--normalise", help="One cosine, or the mean over layers.")
    ] = None,
    draws: Annotated[int, typer.Option("--draws", min=1, help="Random selections of a test.")] = 10_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of these.")] = 0,
    as_json: JsonOption = False,
) -> None:
    """Compute the statistics of a kept Gram again, over other layers or by another measure; no model is needed."""
    from prmkit.similarity.statistics.gram import PatternGram
    from prmkit.similarity.statistics.measure import Measure, measure_of
    from prmkit.similarity.statistics.table import statistics

    gram = PatternGram.load(folder / "gram" if (folder / "gram").is_dir() else folder)
    measure = Measure(
        layers=None if layers is None else _layers(layers),
        kind=kind,
        normalise=normalise or measure_of(gram).normalise,
    )
    found = statistics(gram, seed=seed, draws=draws, measure=measure)
    print_record({**found.as_json(), "origin": gram.origin}, as_json=as_json)


@app.command("doctor")
def doctor(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A causal LM: folder or org/name[@revision].")],
    dtype: Annotated[
        Literal["float32", "bfloat16", "float16"], typer.Option("--dtype", help="The type it shall be read in.")
    ] = "float32",
    tokens: Annotated[int, typer.Option("--tokens", min=8, help="Length of the longest probe.")] = 64,
    as_json: JsonOption = False,
) -> None:
    """Check batched against alone, padding, engines, attention and dtype: can the numbers be trusted here?"""
    with busy(f"examining {model}"):
        import torch

        from prmkit.models.backbone import load_causal_lm
        from prmkit.similarity.patterns.doctor import CHECKS, examine

        loaded, _ = load_causal_lm(model, getattr(torch, dtype))
        found = examine(loaded, tokens=tokens)
    print_table(CHECKS, [check.row() for check in found], as_json=as_json)
    failed = [check.name for check in found if not check.passed]
    if failed:
        raise RunError(f"not to be trusted: {', '.join(failed)}")


def _set_overrides(argument: str) -> list[str]:
    name, equals, given = argument.partition("=")
    path = Path(given)
    if not equals or not name.isidentifier():
        raise InputError("not a set of responses", got=argument, expected="NAME=FILE or NAME=RUN")
    if path.is_dir():
        trees = str(path / "trees.jsonl")
        return [_override(f"{name}_prm", trees=trees, select="chosen"), _override(name, trees=trees)]
    return [_override(name, **{"trees" if _holds_trees(path) else "file": given})]


def _override(name: str, **values: Any) -> str:
    return f"sets.{name}={orjson.dumps(values).decode()}"


def _holds_trees(path: Path) -> bool:
    from prmkit.row_files import local_rows

    first = next(local_rows(path), None)
    return first is not None and "nodes" in first.parse()


def _layers(text: str) -> list[int]:
    start, colon, stop = text.partition(":")
    if not (colon and start.isdigit() and stop.isdigit() and int(start) < int(stop)):
        raise InputError("not a range of layers", where="--layers", got=text, expected="START:STOP, such as 8:16")
    return list(range(int(start), int(stop)))
