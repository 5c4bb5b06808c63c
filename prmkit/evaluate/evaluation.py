"""Evaluation of solutions, a search's or anybody's: every number is a recomputation, nothing is sampled again."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pydantic import Field

from prmkit.errors import InputError
from prmkit.evaluate.compare import Comparison
from prmkit.evaluate.contamination import Contamination
from prmkit.evaluate.intake import RowsRecord
from prmkit.evaluate.judging import judge_all, judgeable, refuse_unjudgeable
from prmkit.evaluate.resumable import Finished
from prmkit.evaluate.samples import SampleFigures, evaluate_samples
from prmkit.evaluate.solutions import Solutions, samples_of
from prmkit.evaluate.verdicts import write_verdicts
from prmkit.grade import isolation_of
from prmkit.grade.config import DEFAULT, GradingConfig
from prmkit.run.activity import busy
from prmkit.run.folder import RunFolder
from prmkit.run.results import Result, read_result
from prmkit.score.aggregate import Aggregation


class EvaluationResult(SampleFigures, Result):
    """What solutions achieve, and what the verdicts rest on.

    Attributes:
        grading: how they were judged.
        aggregation: from step scores to the score of a solution.
        unfinished: solutions without an end of their own, cut or never written: each counts as a wrong sample with the
            least score, in the AUC and the calibration of scores too. None in a result of version 1.
        isolation: the layers of the sandbox around the programs that were run; empty where none was.
        unsupported: {problem id: why it cannot be judged, or not on this machine}; these problems are in no figure.
        timeouts: {problem id: pairs of answers whose comparison ran out of time, and that count as different}.
        rows: what became of the rows of a file of samples; None where a search was evaluated.
        comparison: with another evaluation of the same problems.
        contamination: which of the problems a training corpus has seen.
    """

    kind = "evaluation"
    version = 2

    grading: GradingConfig
    aggregation: Aggregation
    unfinished: int | None = None
    isolation: list[str] = Field([])
    unsupported: dict[str, str] = Field({})
    timeouts: dict[str, int] = Field({})
    comparison: list[Comparison] = Field([])
    contamination: Contamination | None = None
    rows: RowsRecord | None = None

    def warnings(self) -> Iterator[str]:
        """What is in no figure, or not in all of them, and what was not decided: a sentence for each kind."""
        if self.fewer is not None:
            yield str(self.fewer)
        if self.rows is not None:
            yield from self.rows.warnings()
        if self.unsupported:
            problem, why = next(iter(self.unsupported.items()))
            count = len(self.unsupported)
            yield f"problems that cannot be judged and are in no figure: {count}, first {problem!r}: {why}"
        if self.timeouts:
            pairs, problem = sum(self.timeouts.values()), next(iter(self.timeouts))
            yield f"pairs of answers that ran out of time and count as different: {pairs}, first of problem {problem!r}"


def refuse_solutions(every: Sequence[Solutions], aggregation: Aggregation) -> None:
    """What keeps solutions from being evaluated, as far as it can be known before anything is judged.

    Raises:
        InputError: there is no problem; one has no solution, or nothing to be judged by; some finished solutions have
            scores and others have none.
    """
    if not every:
        raise InputError("nothing to evaluate", expected="the solutions of at least one problem")
    refuse_unjudgeable(every)
    scored = _are_scored(every)
    for each in every:
        if not each.solutions and not each.unwritten:
            raise InputError("the problem has no solution", where=each.where or each.problem.id)
        samples_of(each, aggregation if scored else None)


def _are_scored(every: Sequence[Solutions]) -> bool:
    return any(each.has_score for solutions in every for each in solutions.solutions)


def evaluate_solutions(
    every: Sequence[Solutions],
    grading: GradingConfig = DEFAULT,
    aggregation: Aggregation = "last",
    *,
    watch: Callable[[int], None] = lambda done: None,
    finished: Finished | None = None,
    verdicts: Path | None = None,
) -> EvaluationResult:
    """Judge solutions and compute what they achieve; without scores, no figure that needs them.

    Args:
        every: the solutions of each problem.
        grading: how they are judged.
        aggregation: of step scores.
        watch: told as each problem is judged.
        finished: where verdicts are kept, so that a killed evaluation goes on.
        verdicts: the file that gets the verdict of every solution (see verdicts.py).

    Raises:
        InputError: as ``refuse_solutions``, or there is no problem that can be judged.
    """
    with busy("looking at the solutions"):
        refuse_solutions(every, aggregation)
        scored = _are_scored(every)
        kept, unsupported = judgeable(every, grading)
    timeouts: dict[str, int] = {}
    judged = judge_all(kept, grading, watch=watch, finished=finished, faults=unsupported, timeouts=timeouts)
    if not judged:
        raise InputError(f"no problem can be judged: {next(iter(unsupported.values()))}")
    with busy("putting the figures together"):
        if verdicts is not None:
            write_verdicts(verdicts, judged)
        samples = [samples_of(each, aggregation if scored else None) for each in judged]
        figures = evaluate_samples(samples, scored=scored)
    run_here = [each.problem for each in kept if each.verdicts is None]
    return EvaluationResult(
        **dict(figures),
        grading=grading,
        aggregation=aggregation,
        unfinished=sum(len(each.solutions) - len(each.finished) + each.unwritten for each in judged),
        unsupported=unsupported,
        timeouts=timeouts,
        isolation=isolation_of(run_here),
    )


def read_evaluation(path: Path) -> EvaluationResult:
    """The evaluation of a search run, of an evaluation's own folder, or in a file. Raises InputError if there is
    none.
    """
    return read_result(evaluation_file(path), EvaluationResult)


def evaluation_file(path: Path) -> Path:
    """Where ``read_evaluation`` finds it. Raises InputError if there is none."""
    folder = RunFolder(path)
    places = (folder.evaluation, folder.metrics_file, *([path] if path.suffix == ".json" else []))
    file = next((each for each in places if each.is_file()), None)
    if file is None:
        cure = f"Run prmkit evaluate {path} first, and name the folder that it writes."
        raise InputError("no evaluation to compare with", where=path, expected="a folder with metrics.json", cure=cure)
    return file
