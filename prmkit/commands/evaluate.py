"""``prmkit evaluate``: what a search or anybody's samples achieved, or how well a PRM finds wrong steps."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import orjson
import typer

from prmkit.commands.console import (
    JsonOption,
    OverwriteOption,
    print_json,
    print_record,
    progress,
)
from prmkit.errors import InputError
from prmkit.models.config import Adapter
from prmkit.run.files import refuse_existing, writing
from prmkit.run.folder import RunFolder

if TYPE_CHECKING:
    from prmkit.grade.config import GradingConfig
    from prmkit.score import PrmConfig
    from prmkit.tree import Problem, StepTree

_SHOWN_ONLY_IN_JSON = ("correct", "curves", "rules")


def _shown(result: dict[str, Any]) -> dict[str, Any]:
    """What a table has room for."""
    shown = {name: value for name, value in result.items() if name not in _SHOWN_ONLY_IN_JSON}
    if "calibration" in shown:
        calibration = shown.pop("calibration")
        shown |= {"calibration": {name: calibration[name] for name in ("brier", "ece")}}
        shown |= {"reliability": calibration["reliability"], "by_position": calibration["by_position"]}
    return shown


def evaluate(
    path: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE",
            help="A search run, JSON lines of problem, responses and scores, or with --prm a labelled corpus.",
        ),
    ],
    prm: Annotated[
        Path | None, typer.Option("--prm", metavar="CHECKPOINT", help="The PRM whose step scores are evaluated.")
    ] = None,
    adapter: Annotated[
        Adapter | None, typer.Option("--adapter", help="Whose PRM it is, where its config does not say, with --prm.")
    ] = None,
    source: Annotated[
        str, typer.Option("--source", help="The kind of corpus, with --prm or --against.")
    ] = "processbench",
    threshold: Annotated[
        float, typer.Option("--threshold", min=0.0, max=1.0, help="A step scored below it is wrong, with --prm.")
    ] = 0.5,
    choose_on: Annotated[
        str | None,
        typer.Option("--choose-on", metavar="FILE", help="Choose the threshold on this corpus instead, with --prm."),
    ] = None,
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", help="Whose problems the lines of a FILE name by id.")
    ] = None,
    problems: Annotated[
        Path | None, typer.Option("--problems", metavar="FILE", help="The local file of the benchmark.")
    ] = None,
    grader: Annotated[
        Literal["math-verify", "prm800k", "qwen"],
        typer.Option("--grader", help="Whose equality of math answers; the last two for comparison with theirs."),
    ] = "math-verify",
    vote: Annotated[
        Literal["behaviour", "text"],
        typer.Option("--vote", help="Programs agree by what they do on public inputs, or by their normalised text."),
    ] = "behaviour",
    compare: Annotated[
        Path | None, typer.Option("--compare", metavar="RUN|FILE", help="An evaluated run to compare with, paired.")
    ] = None,
    against: Annotated[
        str | None,
        typer.Option("--against", metavar="CORPUS", help="Also list the problems that this training corpus has seen."),
    ] = None,
    unsafe_local: Annotated[
        bool, typer.Option("--unsafe-local", help="Run programs even where nothing isolates them.")
    ] = False,
    select: Annotated[
        bool, typer.Option("--select", help="Choose a search's answers again, by every rule and aggregation.")
    ] = False,
    anytime: Annotated[
        bool, typer.Option("--anytime", help="Accuracy of a search, or of several side by side, at every budget.")
    ] = False,
    rethinking: Annotated[
        bool, typer.Option("--rethinking", help="What the PRM says of steps that think again, over a search.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="The run folder; by default runs/evaluate-NAME (no search run)."),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compute pass@k, maj@k and prm@k of samples; with --prm, how well a PRM finds wrong steps."""
    from prmkit.grade.config import GradingConfig
    from prmkit.score import PrmConfig

    if select or anytime or rethinking:
        from prmkit.commands.reselect import print_anytime, print_rethinking, print_selection

        shown = print_selection if select else print_anytime if anytime else print_rethinking
        shown(Path(path), overwrite=overwrite, as_json=as_json)
        return
    if prm is not None:
        config = PrmConfig(checkpoint=str(prm), adapter=adapter)
        evaluate_prm(config, source, path, choose_on or threshold, out, overwrite=overwrite, as_json=as_json)
        return
    grading = GradingConfig(grader=grader, vote=vote, unsafe_local=unsafe_local)
    other = read_evaluation(compare) if compare is not None else None
    if Path(path).is_file():
        run = RunFolder(out or Path("runs", f"evaluate-{Path(path).name.partition('.')[0]}"))
        run.refuse_taken(overwrite=overwrite)
        asked = asked_of_file(Path(path), benchmark, problems)
    else:
        run = RunFolder(Path(path))
        refuse_existing(run.evaluation, overwrite=overwrite)
        asked = asked_of_run(Path(path))
    seen = contaminated(asked.problems, source, against) if against is not None else None
    with progress("judge", len(asked.problems)) as watch:
        result = asked.evaluate(grading, watch)
    if other is not None:
        from prmkit.evaluate.compare import compare as compared

        result["comparison"] = compared(result, other)
    if seen is not None:
        result["contamination"] = seen
    if asked.inputs:
        values = {"stage": "evaluate", "path": path, "benchmark": benchmark, "grader": grader, "vote": vote}
        RunFolder.create(run.path, values, inputs=asked.inputs, seed=0, overwrite=overwrite)
        run.metrics({name: value for name, value in result.items() if name not in _SHOWN_ONLY_IN_JSON})
    with writing(run.path):
        run.evaluation.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2) + b"\n")
    if as_json:
        print_json({"wrote": str(run.evaluation), **result})
    else:
        print_record({"wrote": str(run.evaluation), **_shown(result)}, as_json=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be evaluated, read and checked: the problems, how, and the files, unless a run folder holds them."""

    problems: "list[Problem]"
    evaluate: "Callable[[GradingConfig, Callable[..., None]], dict[str, Any]]"
    inputs: tuple[Path, ...] = ()


def asked_of_run(folder: Path) -> Asked:
    """The trees of a search run."""
    from prmkit.trees_io import read_trees

    if not folder.is_dir():
        raise InputError("no such run folder", where=folder, cure="For a labelled file, name the PRM with --prm.")
    return _asked_of_trees(list(read_trees(RunFolder(folder).trees)))


def asked_of_file(path: Path, benchmark: str | None, problems: Path | None) -> Asked:
    """JSON lines of responses, or of trees."""
    from prmkit.benchmarks import load
    from prmkit.evaluate.responses import evaluate_responses, read_responses
    from prmkit.rows_io import local_rows
    from prmkit.trees_io import read_trees

    if problems is not None and benchmark is None:
        raise InputError("--problems without --benchmark", where=problems, cure="Say whose problems they are.")
    inputs = (path, *([problems] if problems is not None else []))
    first = next(iter(local_rows(path)), None)
    if first is not None and "nodes" in first.parse():
        return replace(_asked_of_trees(list(read_trees(path))), inputs=inputs)
    answered = read_responses(path, problems=load(benchmark, path=problems) if benchmark is not None else [])
    return Asked(
        problems=[one.problem for one in answered],
        evaluate=lambda grading, watch: evaluate_responses(answered, grading, watch=watch),
        inputs=inputs,
    )


def _asked_of_trees(trees: "list[StepTree]") -> Asked:
    from prmkit.evaluate.trees import evaluate_trees

    return Asked(
        problems=[tree.problem for tree in trees],
        evaluate=lambda grading, watch: evaluate_trees(trees, grading=grading, watch=watch),
    )


def read_evaluation(path: Path) -> dict[str, Any]:
    """The evaluation in a run folder, or in a file. Raises InputError if there is none."""
    file = RunFolder(path).evaluation if path.is_dir() else path
    try:
        found: dict[str, Any] = orjson.loads(file.read_bytes())
        found["rules"].items()
    except (OSError, orjson.JSONDecodeError, KeyError, TypeError, AttributeError):
        cure = "Run prmkit evaluate on it first."
        raise InputError("no evaluation to compare with", where=file, expected="evaluation.json", cure=cure) from None
    return found


def contaminated(problems: "list[Problem]", source: str, corpus: str) -> dict[str, Any]:
    """The problems that a training corpus has seen: how many, and which."""
    from prmkit.evaluate.contamination import overlaps
    from prmkit.sources import Corpus

    found = overlaps(problems, ((tree.problem.id, tree.problem.prompt) for tree in Corpus(source, corpus)))
    seen = [overlap for overlap in found if overlap.contaminated]
    return {
        "corpus": corpus,
        "seen": len(seen),
        "of": len(problems),
        "problems": [{"id": one.problem_id, "share": one.share, "seen_in": one.seen_in} for one in found],
    }


def evaluate_prm(
    prm: "PrmConfig",
    source: str,
    path: str,
    threshold: float | str,
    out: Path | None,
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Score a labelled corpus with a PRM, and write the scored trees and the figures to a run folder.

    ``threshold`` is a number, or the corpus that it is chosen on.
    """
    from prmkit.evaluate.labelled import choose_threshold, evaluate_labelled, score_trees
    from prmkit.rows_io import HUB
    from prmkit.score import load_scorer
    from prmkit.sources import Corpus
    from prmkit.trees_io import write_trees

    start = time.monotonic()
    if threshold == path:
        raise InputError("the threshold must be chosen on other data", where=path, cure="Name another --choose-on.")
    corpus = Corpus(source, path)
    trees: list[StepTree] = list(corpus)
    apart: list[StepTree] = list(Corpus(source, threshold)) if isinstance(threshold, str) else []
    scorer, _ = load_scorer(prm)
    files = [str(prm.checkpoint), path, *([threshold] if isinstance(threshold, str) else [])]
    run = RunFolder.create(
        out or Path("runs", f"evaluate-{Path(path.removeprefix(HUB)).name.partition('.')[0]}"),
        {
            "stage": "evaluate",
            "prm": prm.checkpoint,
            "adapter": prm.adapter,
            "source": source,
            "path": path,
            "threshold": threshold,
        },
        inputs=[Path(given) for given in files if Path(given).exists()],  # not those of the hub
        seed=0,
        overwrite=overwrite,
    )
    with writing(run.path), progress("score", len(trees) + len(apart)) as done:
        costs = score_trees(trees, scorer, done=done)
        score_trees(apart, scorer, done=done)
        write_trees(run.trees, trees)
    chosen = choose_threshold(apart, threshold) if isinstance(threshold, str) else threshold
    metrics: dict[str, Any] = evaluate_labelled(trees, chosen)
    metrics |= {"corpus": corpus.counts.as_dict(), "scoring": costs, "seconds": time.monotonic() - start}
    run.metrics(metrics)
    print_record({"run": str(run.path), **(metrics if as_json else _shown(metrics))}, as_json=as_json)
