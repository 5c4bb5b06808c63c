"""``prmkit grade``: the verdict on any solution: what is found in it, by which rule, and whether it is right."""

import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prmkit.commands.console import JsonOption, print_json, print_record, print_table
from prmkit.commands.live import progress
from prmkit.errors import InputError, did_you_mean
from prmkit.grade.config import DEFAULT, Relation

if TYPE_CHECKING:
    from prmkit.evaluate.solutions import Solutions
    from prmkit.recipe.parts import ProblemsConfig

_COLUMNS = ("problem", "solution", "right", "rule", "found", "gold")
_WIDTH = 60


def grade(
    path: Annotated[
        str | None,
        typer.Argument(metavar="FILE|RUN", help="What prmkit evaluate reads: samples, trees, a search run."),
    ] = None,
    text: Annotated[
        str | None, typer.Option("--text", help="One solution instead of a file; - reads it from standard input.")
    ] = None,
    gold: Annotated[str | None, typer.Option("--gold", help="The right answer to it.")] = None,
    problem: Annotated[
        str | None, typer.Option("--problem", metavar="ID", help="Or the problem of the benchmark that it solves.")
    ] = None,
    benchmark: Annotated[str | None, typer.Option("--benchmark", help="Whose problems are named by id.")] = None,
    problems: Annotated[
        Path | None, typer.Option("--problems", metavar="FILE", help="The local file of the benchmark.")
    ] = None,
    grader: Annotated[
        Relation | None,
        typer.Option("--grader", help="Whose equality of math answers; by default the search's, else math-verify."),
    ] = None,
    unsafe_local: Annotated[
        bool, typer.Option("--unsafe-local", help="Run programs even where nothing isolates them.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what is found in a solution, by which rule, and whether it is right."""
    from prmkit.evaluate.judging import judge_all, judgeable, refuse_unjudgeable
    from prmkit.evaluate.verdicts import explained_verdicts
    from prmkit.recipe.parts import GradingChoice, ProblemsConfig
    from prmkit.recipe.stages.evaluate_samples import EvaluateSamplesRecipe, read_samples

    if (path is None) == (text is None):
        raise InputError("nothing to grade, or two things", cure="Give a FILE, or --text with --gold or --problem.")
    if benchmark is None and problems is not None:
        raise InputError("a file of problems without its benchmark", where=problems, cure="Give --benchmark too.")
    known = None
    if benchmark is not None:
        known = ProblemsConfig(benchmark=benchmark, path=None if problems is None else str(problems))
    choice = GradingChoice(grader=grader, unsafe_local=unsafe_local or None)
    if path is not None:
        recipe = EvaluateSamplesRecipe(stage="evaluate-samples", path=path, problems=known, grading=choice)
        rows, every, grading, _ = read_samples(recipe)
        for said in () if rows is None else (*(row["error"] for row in rows.bad), *rows.notes):
            typer.echo(said, err=True)
    else:
        every, grading = [_one(text or "", gold, problem, known)], choice.over(DEFAULT)
    refuse_unjudgeable(every)
    kept, unsupported = judgeable(every, grading)
    faults = None if path is None else unsupported
    with progress("judge", len(kept)) if path is not None else nullcontext(lambda done: None) as done:
        judged = judge_all(kept, grading, watch=done, faults=faults)
    verdicts = list(explained_verdicts(judged))
    for name, reason in unsupported.items():
        typer.echo(f"{name if name.isprintable() else repr(name)}: not judged: {reason}", err=True)
    if path is None:
        _print_one(verdicts[0], as_json=as_json)
    elif as_json:
        print_json(verdicts)
    else:
        print_table(_COLUMNS, [[_short(each.get(name)) for name in _COLUMNS] for each in verdicts], as_json=False)
        typer.echo(f"\n{sum(each['right'] for each in verdicts)} of {len(verdicts)} are right")


def _one(text: str, gold: str | None, name: str | None, known: "ProblemsConfig | None") -> "Solutions":
    """One solution as those of a file are."""
    from prmkit.evaluate.solutions import Solution, Solutions
    from prmkit.thoughts import answer_of
    from prmkit.tree import Problem

    if (gold is None) == (name is None):
        cure = "Give --gold, or --problem with --benchmark."
        raise InputError("nothing to judge the text by, or two things", cure=cure)
    if gold is not None:
        posed = Problem(id="text", prompt="", answer=gold)
    else:
        problems = {} if known is None else {each.id: each for each in known.load()}
        if name not in problems:
            raise InputError("no such problem", got=name, cure=did_you_mean(name, problems))
        posed = problems[name]
    given = sys.stdin.buffer.read() if text == "-" else text.encode(errors="replace")
    answer = answer_of(given.decode(errors="replace"))
    return Solutions(problem=posed, solutions=(Solution(text=answer or "", finished=answer is not None),))


def _print_one(verdict: dict[str, Any], *, as_json: bool) -> None:
    shown = {name: value for name, value in verdict.items() if name not in ("problem", "solution", "class")}
    if not as_json:
        shown = {name: "nothing" if value is None else value for name, value in shown.items()}
    print_record(shown, as_json=as_json)


def _short(value: Any) -> Any:
    if value is None:
        return ""
    return value if not isinstance(value, str) or len(value) <= _WIDTH else value[: _WIDTH - 1] + "…"
