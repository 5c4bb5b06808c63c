"""``prmkit grade``: the verdict on any solution: what is found in it, by which rule, and whether it is right."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prmkit.commands.console import JsonOption, print_json, print_record, print_table
from prmkit.errors import InputError, did_you_mean
from prmkit.grade.config import GradingConfig, Relation

if TYPE_CHECKING:
    from prmkit.evaluate.solutions import Solutions
    from prmkit.tree import Problem

_COLUMNS = ("problem", "solution", "right", "rule", "found", "gold")
_WIDTH = 60


def grade(
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="JSON lines of id, responses and answer, as evaluate reads.")
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
    grader: Annotated[Relation, typer.Option("--grader", help="Whose equality of math answers.")] = "math-verify",
    unsafe_local: Annotated[
        bool, typer.Option("--unsafe-local", help="Run programs even where nothing isolates them.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Show what is found in a solution, by which rule, and whether it is right."""
    from prmkit.evaluate.judging import judge_all, judgeable, refuse_unjudgeable
    from prmkit.evaluate.responses import read_responses
    from prmkit.evaluate.verdicts import explained_verdicts

    if (file is None) == (text is None):
        raise InputError("nothing to grade, or two things", cure="Give a FILE, or --text with --gold or --problem.")
    known = _problems(benchmark, problems)
    if file is not None:
        rows = read_responses(file, problems=known)
        every = rows.solutions
        for said in (*(row["error"] for row in rows.bad), *rows.notes):
            typer.echo(said, err=True)
    else:
        every = [_one(text or "", gold, problem, known)]
    grading = GradingConfig(grader=grader, unsafe_local=unsafe_local)
    refuse_unjudgeable(every)
    kept, unsupported = judgeable(every, grading)
    verdicts = list(explained_verdicts(judge_all(kept, grading, faults=None if file is None else unsupported)))
    for name, reason in unsupported.items():
        typer.echo(f"{name}: not judged: {reason}", err=True)
    if file is None:
        _print_one(verdicts[0], as_json=as_json)
    elif as_json:
        print_json(verdicts)
    else:
        print_table(_COLUMNS, [[_short(each.get(name)) for name in _COLUMNS] for each in verdicts], as_json=False)
        typer.echo(f"\n{sum(each['right'] for each in verdicts)} of {len(verdicts)} are right")


def _problems(benchmark: str | None, path: Path | None) -> "list[Problem]":
    from prmkit.recipe.parts import ProblemsConfig

    if benchmark is None:
        if path is not None:
            raise InputError("a file of problems without its benchmark", where=path, cure="Give --benchmark too.")
        return []
    return ProblemsConfig(benchmark=benchmark, path=None if path is None else str(path)).load()


def _one(text: str, gold: str | None, name: str | None, known: "list[Problem]") -> "Solutions":
    """One solution as those of a file are."""
    from prmkit.evaluate.solutions import Solution, Solutions
    from prmkit.thoughts import answer_of
    from prmkit.tree import Problem

    if (gold is None) == (name is None):
        cure = "Give --gold, or --problem with --benchmark."
        raise InputError("nothing to judge the text by, or two things", cure=cure)
    posed = next((each for each in known if each.id == name), None)
    if gold is not None:
        posed = Problem(id="text", prompt="", answer=gold)
    if posed is None:
        raise InputError("no such problem", got=name, cure=did_you_mean(name, [each.id for each in known]))
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
