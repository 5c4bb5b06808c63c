"""Search runs as evaluations read them: their trees, how they were judged, and what they cost."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from prmkit.errors import InputError
from prmkit.evaluate.compare import refuse_other_grading
from prmkit.evaluate.judging import judge_all, refuse_unjudgeable
from prmkit.evaluate.resumable import Finished
from prmkit.evaluate.solutions import Solutions, solutions_in
from prmkit.grade.config import GradingConfig
from prmkit.run.folder import RunFolder
from prmkit.run.results import parsed
from prmkit.score.aggregate import Aggregation
from prmkit.search.answer import AnswerRule
from prmkit.search.options import StrategyConfig
from prmkit.tree import StepTree
from prmkit.trees_io import read_trees


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """A search run.

    Attributes:
        name: of its strategy; of one of several side by side, the name that they go by.
        folder: of the run.
        trees: that it made.
        grading: by which it was judged; the defaults where its record says nothing.
        strategy: None where its record says nothing.
    """

    name: str
    folder: RunFolder
    trees: list[StepTree]
    grading: GradingConfig
    strategy: StrategyConfig | None

    @property
    def aggregation(self) -> Aggregation:
        """That the search used. Raises InputError if its trees name several."""
        return aggregation_of(self.trees)

    @property
    def rule(self) -> AnswerRule:
        """By which its strategy answers, where several solutions are at hand."""
        if self.strategy is None:
            return "best"
        asked = self.strategy.options.get("answer_by")
        rules: dict[object, AnswerRule] = {"majority": "majority", "weighted-best-of-n": "weighted"}
        rules |= {"weighted": "weighted"}
        return rules.get(asked if asked is not None else self.strategy.name, "best")


def searches_in(path: Path) -> list[Search]:
    """The search in a run folder, or those side by side within it, in the order of their names.

    Raises:
        InputError: there is none.
    """
    folders = search_folders(path)
    alone = folders == [RunFolder(path)]
    return [_read(each, "" if alone else each.path.name) for each in folders]


def search_folders(path: Path) -> list[RunFolder]:
    """Where ``searches_in`` finds them; their trees are not read. Raises InputError if there is none."""
    folder = RunFolder(path)
    if folder.trees.is_file():
        return [folder]
    members = [RunFolder(child) for child in sorted(path.iterdir())] if path.is_dir() else []
    found = [each for each in members if each.trees.is_file() and _searched(each)]
    if not found:
        raise InputError("no search run here", where=path, expected="a trees.jsonl, or folders with one")
    return found


def search_in(path: Path) -> Search:
    """The search in a run folder. Raises InputError if there is none, or several side by side."""
    found = searches_in(path)
    if not RunFolder(path).trees.is_file():
        names = ", ".join(str(each.folder.path) for each in found)
        raise InputError("several strategies side by side", where=path, expected=f"one of them: {names}")
    return found[0]


def refuse_searches(searches: Sequence[Search], gradings: Sequence[GradingConfig]) -> None:
    """What keeps searches from being looked at side by side, asked before anything is judged.

    Raises:
        InputError: they are not of the same problems, they are to be judged differently, or the solutions of a problem
            have nothing to be judged by.
    """
    first, *others = [{tree.problem.id for tree in search.trees} for search in searches]
    for search, problems in zip(searches[1:], others, strict=True):
        if problems != first:
            raise InputError(
                "the searches are of different problems",
                where=search.folder.path,
                expected=f"those of {searches[0].folder.path}",
                cure="Name one of them.",
            )
    refuse_other_grading([(str(each.folder.path), by) for each, by in zip(searches, gradings, strict=True)])
    refuse_unjudgeable(solutions_in(tree) for search in searches for tree in search.trees)


def judged_searches(
    searches: Sequence[Search], grading: GradingConfig, file: Path, watch: Callable[[int], None]
) -> Iterator[tuple[Search, list[Solutions]]]:
    """Each search with its solutions judged. Verdicts are kept in ``file`` until all are there.

    Raises:
        InputError: as ``judge_all``.
    """
    every = [solutions_in(tree) for search in searches for tree in search.trees]
    judged = iter(judge_all(every, grading, watch=watch, finished=Finished(file)))
    for search in searches:
        yield search, [next(judged) for _ in search.trees]
    file.unlink(missing_ok=True)


def aggregation_of(trees: list[StepTree]) -> Aggregation:
    """The aggregation by which trees were searched. Raises InputError if they name several."""
    named = {tree.meta.get("aggregation", "last") for tree in trees}
    if len(named) > 1:
        raise InputError("the trees come from searches with different aggregations", got=sorted(named))
    return named.pop()  # type: ignore[return-value]  # written by search, which validated it


def _searched(folder: RunFolder) -> bool:
    """Whether trees come from a search, as far as their run says where they come from."""
    return not folder.record.is_file() or folder.read_record()["recipe"].get("stage") == "search"


def _read(folder: RunFolder, name: str = "") -> Search:
    recipe = folder.read_record()["recipe"] if folder.record.is_file() else {}
    trees = list(read_trees(folder.trees))
    twice = [problem for problem, count in Counter(tree.problem.id for tree in trees).items() if count > 1]
    if twice:
        raise InputError("a problem stands twice", where=folder.trees, got=twice[0], cure="Search again.")
    strategy = recipe.get("strategy")
    return Search(
        name=name or (folder.path.resolve().name if strategy is None else str(strategy["name"])),
        folder=folder,
        trees=trees,
        grading=parsed(GradingConfig, recipe.get("grading") or {}, f"{folder.record}: grading"),
        strategy=None if strategy is None else parsed(StrategyConfig, strategy, f"{folder.record}: strategy"),
    )
