"""``prmkit evaluate``: what a search or anybody's samples achieved, how well a PRM finds wrong steps, and more."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prmkit.commands.console import SetOption, default_verb
from prmkit.commands.runs import recipe_verb
from prmkit.errors import InputError
from prmkit.grade.config import Relation, Vote
from prmkit.models.config import Adapter
from prmkit.recipe.stages import STAGES

if TYPE_CHECKING:
    from prmkit.recipe.compose import Composed
    from prmkit.run.results import Result

GraderOption = Annotated[
    Relation | None,
    typer.Option("--grader", help="Whose equality of math answers; by default the search's, else math-verify."),
]
VoteOption = Annotated[
    Vote | None,
    typer.Option("--vote", help="Programs agree by what they do on public inputs, or by their normalised text."),
]
UnsafeOption = Annotated[bool, typer.Option("--unsafe-local", help="Run programs even where nothing isolates them.")]
RunArgument = Annotated[
    str,
    typer.Argument(
        metavar="RUN|RECIPE", help="A search run, or several side by side; or a recipe, such as a run.yaml."
    ),
]

app = typer.Typer(
    cls=default_verb("samples"),
    help="Judge samples, measure a PRM, choose answers again. Without a verb: samples.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


def _shown(result: "Result") -> dict[str, Any]:
    """What a table has room for; the file has everything."""
    shown = result.as_json()
    if calibration := shown.pop("calibration", None):
        shown |= {"calibration": {name: calibration[name] for name in ("brier", "ece")}}
        shown |= {"reliability": calibration["reliability"], "by_position": calibration["by_position"]}
    if rows := shown.pop("rows", None):
        shown |= {"bad_rows": rows.pop("bad"), "rows": rows}
    return {name: value for name, value in shown.items() if value is not None}


def _samples_shown(result: "Result") -> dict[str, Any]:
    """Without what stands for every problem and every k, and with what passes all tests as ``plus`` beside ``base``."""
    shown = {name: value for name, value in _shown(result).items() if name not in ("correct", "curves", "rules")}
    if base := shown.pop("base", None):
        shown |= {"base": base, "plus": {rule: shown["selection"][rule] for rule in base}}
    return shown


def _choices(result: "Result") -> dict[str, Any]:
    shown = _shown(result)
    return {**shown, "selection": [{**row, "aggregation": row["aggregation"] or ""} for row in shown["selection"]]}


def _curves(result: "Result") -> dict[str, Any]:
    record = result.as_json()
    return {
        "points": [
            {"strategy": name, "from": curve["kind"], **point}
            for name, curve in record["curves"].items()
            for point in curve["points"]
        ]
    }


def _composed(stage: str, path: str, key: str, overrides: list[str] | None, **values: Any) -> "Composed":
    """The recipe that ``path`` names; or one that says only that ``key`` is this path. ``values`` come on top, those
    that are None left out; names with ``__`` for a dot.
    """
    from prmkit.recipe.catalog import find_recipes, locate
    from prmkit.recipe.compose import blank, compose, override, with_values

    named = path.removeprefix("recipes/").removesuffix(".yaml")
    is_recipe = Path(path).suffix in (".yaml", ".yml") or (not Path(path).exists() and named in find_recipes())
    composed = compose(locate(path)) if is_recipe else with_values(blank(stage), {key: path})
    given = {name.replace("__", "."): value for name, value in values.items() if value is not None}
    return override(with_values(composed, given), overrides or [])


def _samples(
    path: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE|RECIPE",
            help="A search run; JSON lines of id, responses and scores, or of trees; or a recipe, as a run.yaml.",
        ),
    ],
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", help="Whose problems the lines of a FILE name by id.")
    ] = None,
    problems: Annotated[
        Path | None, typer.Option("--problems", metavar="FILE", help="The local file of the benchmark.")
    ] = None,
    grader: GraderOption = None,
    vote: VoteOption = None,
    unsafe_local: UnsafeOption = False,
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="RUN|FILE", help="An evaluated run to compare with, paired.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="CORPUS", help="Also list the problems that this training corpus has seen."),
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="The kind of CORPUS, by default rows.")] = None,
    overrides: SetOption = None,
) -> "Composed":
    """Judge a search run, or anybody's samples: pass@k, maj@k, prm@k, with errors, by group."""
    return _composed(
        "evaluate-samples",
        path,
        "path",
        overrides,
        problems__benchmark=benchmark,
        problems__path=None if problems is None else str(problems),
        grading__grader=grader,
        grading__vote=vote,
        grading__unsafe_local=unsafe_local or None,
        compare=None if compare is None else str(compare),
        against__path=against,
        against__source=source or (None if against is None else "rows"),
    )


def _steps(
    path: Annotated[
        str,
        typer.Argument(metavar="CORPUS|RECIPE", help="Solutions with labelled steps; or a recipe, such as a run.yaml."),
    ],
    prm: Annotated[
        str | None,
        typer.Option("--prm", metavar="CHECKPOINT", help="The PRM: a folder, or org/name[@revision] of the hub."),
    ] = None,
    adapter: Annotated[
        Adapter | None, typer.Option("--adapter", help="Whose PRM it is, where its config does not say.")
    ] = None,
    source: Annotated[str | None, typer.Option("--source", help="The kind of corpus, by default processbench.")] = None,
    threshold: Annotated[
        float | None,
        typer.Option("--threshold", min=0.0, max=1.0, help="A step scored below it is wrong; by default 0.5."),
    ] = None,
    choose_on: Annotated[
        str | None,
        typer.Option(
            "--choose-on", metavar="CORPUS", help="Choose the threshold on this corpus of the same kind instead."
        ),
    ] = None,
    overrides: SetOption = None,
) -> "Composed":
    """Measure how well a PRM finds wrong steps: first-error F1, step AUC, calibration."""
    from prmkit.recipe.compose import OVERRIDE, with_values

    if threshold is not None and choose_on is not None:
        raise InputError("--threshold and --choose-on exclude each other", cure="Give one of them.")
    composed = _composed(
        "evaluate-steps",
        path,
        "corpus.path",
        overrides,
        scorer__checkpoint=prm,
        scorer__adapter=adapter,
        corpus__source=source,
        threshold=threshold,
        choose_on__path=choose_on,
    )
    if composed.values.get("stage") == "evaluate-steps" and "scorer" not in composed.values:
        raise InputError("no PRM to measure", where=path, cure="Give --prm CHECKPOINT, or a recipe with a scorer.")
    corpus = composed.values.get("corpus")
    known: dict[str, Any] = corpus if isinstance(corpus, dict) else {"source": "processbench"}  # binding refuses others
    source = known.get("source", "processbench")
    said = {} if "source" in known else {"corpus.source": source}
    if threshold is not None:
        said["choose_on"] = None
    if choose_on is not None and composed.origins.get(("choose_on", "source")) != OVERRIDE:
        said["choose_on.source"] = source
    return with_values(composed, said)


def _of_searches(stage: str, summary: str) -> Any:
    def compose(
        path: RunArgument,
        grader: GraderOption = None,
        vote: VoteOption = None,
        unsafe_local: UnsafeOption = False,
        overrides: SetOption = None,
    ) -> "Composed":
        return _composed(
            stage,
            path,
            "path",
            overrides,
            grading__grader=grader,
            grading__vote=vote,
            grading__unsafe_local=unsafe_local or None,
        )

    compose.__doc__ = summary
    return compose


def _by_stage(result: "Result") -> dict[str, Any]:
    """Also of the others, whose recipes run without their verb."""
    shows = {"evaluation": _samples_shown, "selection": _choices, "anytime": _curves}
    return shows.get(result.kind, _shown)(result)


_OTHERS = ("steps", "selection", "anytime", "rethinking")

app.command("samples")(
    recipe_verb("evaluate-samples", _samples, show=_by_stage, also=[f"evaluate-{name}" for name in _OTHERS])
)
app.command("steps")(recipe_verb("evaluate-steps", _steps, show=_shown))
for _name, _show in (("selection", _choices), ("anytime", _curves), ("rethinking", _shown)):
    _stage = f"evaluate-{_name}"
    app.command(_name)(recipe_verb(_stage, _of_searches(_stage, STAGES[_stage].summary), show=_show))
