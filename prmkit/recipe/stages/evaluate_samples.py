"""The stage ``evaluate-samples``: what a search, or anybody's samples, achieved."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prmkit.errors import InputError
from prmkit.evaluate.compare import compare, refuse_other_grading, refuse_other_problems
from prmkit.evaluate.contamination import contamination
from prmkit.evaluate.evaluation import (
    EvaluationResult,
    evaluate_solutions,
    evaluation_file,
    read_evaluation,
    refuse_solutions,
)
from prmkit.evaluate.forms import holds_samples
from prmkit.evaluate.intake import Intake
from prmkit.evaluate.responses import read_responses
from prmkit.evaluate.resumable import Finished
from prmkit.evaluate.searches import aggregation_of, search_in
from prmkit.evaluate.solutions import Solutions, solutions_in
from prmkit.grade.config import DEFAULT, GradingConfig
from prmkit.recipe.parts import DataConfig, GradingChoice, ProblemsConfig
from prmkit.recipe.stage import Stage, Work
from prmkit.recipe.watch import Watch, watched
from prmkit.row_files import local_rows
from prmkit.run.folder import RunFolder
from prmkit.score.aggregate import Aggregation
from prmkit.sources.corpus import write_bad
from prmkit.trees_io import read_trees

_LOG = logging.getLogger(__name__)


class EvaluateSamplesRecipe(BaseModel):
    """Judge a search run, or anybody's samples (``prmkit evaluate samples``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: Literal["evaluate-samples"] = Field(description="the verb that runs this recipe")
    path: str = Field(
        min_length=1, description="a search run, or a file or folder: rows of id, responses and scores, or of trees"
    )
    problems: ProblemsConfig | None = Field(None, description="the benchmark whose problems the lines name by id")
    grading: GradingChoice = Field(GradingChoice(), description="how solutions are judged")
    aggregation: Aggregation | None = Field(
        None, description="from step scores to the score of a solution; default: the search's, else last"
    )
    compare: str | None = Field(None, description="an evaluated run, or its metrics.json, to compare with, paired")
    against: DataConfig | None = Field(None, description="a training corpus: which of the problems has it seen?")


def _prepare(recipe: EvaluateSamplesRecipe, watch: Watch | None) -> Work:
    read, every, grading, aggregation = read_samples(recipe)
    other = None if recipe.compare is None else read_evaluation(Path(recipe.compare))
    if other is not None:
        refuse_other_grading([(str(recipe.compare), other.grading), (recipe.path, grading)])
        refuse_other_problems(other.rules, [each.problem.id for each in every], where=str(recipe.compare))
    refuse_solutions(every, aggregation)

    seen = None
    if recipe.against is not None:
        corpus = ((tree.problem.id, tree.problem.prompt) for tree in recipe.against.corpus())
        seen = contamination([each.problem for each in every], corpus, recipe.against.path)

    def work(folder: RunFolder) -> EvaluationResult:
        finished = folder.path / "judged.jsonl"
        with watched(watch, "judge", len(every)) as done:
            result = evaluate_solutions(
                every, grading, aggregation, watch=done, finished=Finished(finished), verdicts=folder.verdicts
            )
        finished.unlink(missing_ok=True)
        if read is not None:
            write_bad(folder.quarantine, read.bad)
        compared = compare(result.rules, other.rules) if other is not None else []
        rows = None if read is None else read.record()
        result = result.model_copy(update={"comparison": compared, "contamination": seen, "rows": rows})
        for said in result.warnings():
            _LOG.warning("%s", said)
        return result

    return work


def read_samples(
    recipe: EvaluateSamplesRecipe,
) -> tuple[Intake | None, list[Solutions], GradingConfig, Aggregation]:
    """What was read of a file of samples, the solutions, how they are judged, and how step scores are put together.

    Raises:
        InputError: there is no run and no file of samples or trees, or nothing good in it.
    """
    path = Path(recipe.path)
    if _is_run(path):
        _refuse_problems(recipe)
        search = search_in(path)
        solutions = [solutions_in(tree) for tree in search.trees]
        return None, solutions, recipe.grading.over(search.grading), recipe.aggregation or search.aggregation
    if not path.exists():
        raise InputError("no such run folder or file", where=path, cure="Check the path.")
    grading = recipe.grading.over(DEFAULT)
    if path.is_file() and _holds_trees(path):
        _refuse_problems(recipe)
        trees = list(read_trees(path))
        return None, [solutions_in(tree) for tree in trees], grading, recipe.aggregation or aggregation_of(trees)
    read = read_responses(path, problems=recipe.problems.load() if recipe.problems is not None else [])
    return read, read.solutions, grading, recipe.aggregation or "last"


def _is_run(path: Path) -> bool:
    """Whether a folder is to be read as a search run: any but one of samples."""
    return path.is_dir() and (
        any(RunFolder(each).record.is_file() or RunFolder(each).trees.is_file() for each in (path, *path.iterdir()))
        or not holds_samples(path)
    )


def _holds_trees(path: Path) -> bool:
    """Whether the first row that can be read is a tree."""
    for raw in local_rows(path):
        try:
            return "nodes" in raw.parse()
        except InputError:
            continue
    return False


def _refuse_problems(recipe: EvaluateSamplesRecipe) -> None:
    """Trees hold their problems: a benchmark beside them would do nothing."""
    if recipe.problems is not None:
        raise InputError(
            "the trees hold their problems",
            where=recipe.path,
            got=recipe.problems.benchmark,
            cure="Leave the benchmark out.",
        )


def _inputs(recipe: EvaluateSamplesRecipe) -> Iterator[str | None]:
    path = Path(recipe.path)
    yield str(RunFolder(path).trees) if _is_run(path) else recipe.path
    yield recipe.problems.path if recipe.problems is not None else None
    yield recipe.against.path if recipe.against is not None else None
    yield str(evaluation_file(Path(recipe.compare))) if recipe.compare is not None else None


def _folder(recipe: EvaluateSamplesRecipe) -> Path:
    """Beside the trees of a search, where the report finds it."""
    path = Path(recipe.path)
    return (
        RunFolder(path).evaluation.parent if _is_run(path) else Path("runs", f"evaluate-{path.name.partition('.')[0]}")
    )


STAGE = Stage(
    recipe=EvaluateSamplesRecipe,
    result=lambda recipe: EvaluationResult,
    prepare=_prepare,
    inputs=_inputs,
    folder=_folder,
)
