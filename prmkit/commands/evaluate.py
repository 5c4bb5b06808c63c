"""``prmkit evaluate``: what a search found, or how well a PRM finds first errors."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import orjson
import typer

from prmkit.commands.console import JsonOption, OverwriteOption, print_record, progress
from prmkit.errors import InputError
from prmkit.models.config import Adapter
from prmkit.run import RunFolder, writing

if TYPE_CHECKING:
    from prmkit.score import PrmConfig
    from prmkit.tree import StepTree


def evaluate(
    path: Annotated[str, typer.Argument(metavar="RUN|FILE", help="A search run, or with --prm a labelled corpus.")],
    prm: Annotated[
        Path | None, typer.Option("--prm", metavar="CHECKPOINT", help="The PRM whose step scores are evaluated.")
    ] = None,
    adapter: Annotated[
        Adapter | None, typer.Option("--adapter", help="Whose PRM it is, where its config does not say, with --prm.")
    ] = None,
    source: Annotated[str, typer.Option("--source", help="The kind of corpus, with --prm.")] = "processbench",
    threshold: Annotated[
        float, typer.Option("--threshold", min=0.0, max=1.0, help="A step scored below it is wrong, with --prm.")
    ] = 0.5,
    select: Annotated[
        bool, typer.Option("--select", help="Choose a search's answers again, by every rule and aggregation.")
    ] = False,
    anytime: Annotated[
        bool, typer.Option("--anytime", help="Accuracy of a search, or of several side by side, at every budget.")
    ] = False,
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="FOLDER", help="The run folder, with --prm; by default runs/evaluate-NAME."),
    ] = None,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Compute prm@N, maj@N and pass@N of a search run; with --prm, the first-error F1 of a PRM on labelled steps."""
    from prmkit.score import PrmConfig

    if select or anytime:
        from prmkit.commands.reselect import print_anytime, print_selection

        (print_selection if select else print_anytime)(Path(path), overwrite=overwrite, as_json=as_json)
    elif prm is None:
        evaluate_run(Path(path), overwrite=overwrite, as_json=as_json)
    else:
        evaluate_prm(
            PrmConfig(checkpoint=str(prm), adapter=adapter),
            source,
            path,
            threshold,
            out,
            overwrite=overwrite,
            as_json=as_json,
        )


def evaluate_run(folder: Path, *, overwrite: bool, as_json: bool) -> None:
    """Evaluate the trees of a search run and write evaluation.json beside them."""
    from prmkit.evaluate.trees import evaluate_trees
    from prmkit.trees_io import read_trees

    run = RunFolder(folder)
    file = run.evaluation
    if not folder.is_dir():
        raise InputError("no such run folder", where=folder, cure="For a labelled file, name the PRM with --prm.")
    if file.exists() and not overwrite:
        raise InputError("the file exists", where=file, cure="Give --overwrite.")
    result = evaluate_trees(list(read_trees(run.trees)))
    with writing(folder):
        file.write_bytes(orjson.dumps(result, option=orjson.OPT_INDENT_2) + b"\n")
    shown = {name: value for name, value in result.items() if name != "correct"}
    print_record({"wrote": str(file), **(result if as_json else shown)}, as_json=as_json)


def evaluate_prm(
    prm: "PrmConfig",
    source: str,
    path: str,
    threshold: float,
    out: Path | None,
    *,
    overwrite: bool,
    as_json: bool,
) -> None:
    """Score a labelled corpus with a PRM, and write the scored trees and the figures to a run folder."""
    from prmkit.evaluate.labelled import evaluate_labelled, score_trees
    from prmkit.rows_io import HUB
    from prmkit.score import load_scorer
    from prmkit.sources import Corpus
    from prmkit.trees_io import write_trees

    start = time.monotonic()
    corpus = Corpus(source, path)
    trees: list[StepTree] = list(corpus)
    scorer, _ = load_scorer(prm)
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
        inputs=[Path(given) for given in (str(prm.checkpoint), path) if Path(given).exists()],  # not those of the hub
        seed=0,
        overwrite=overwrite,
    )
    with writing(run.path), progress("score", len(trees)) as done:
        costs = score_trees(trees, scorer, done=done)
        write_trees(run.trees, trees)
    metrics: dict[str, Any] = evaluate_labelled(trees, threshold)
    metrics |= {"corpus": corpus.counts.as_dict(), "scoring": costs, "seconds": time.monotonic() - start}
    run.metrics(metrics)
    print_record({"run": str(run.path), **metrics}, as_json=as_json)
