"""The whole loop on the embedded world: step labels, PRM, search, evaluation, similarity, report.

Every stage is a recipe in recipes/synthetic and a run folder, so each can be run again by hand with its own verb.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from prmkit.annotate.result import AnnotationResult
from prmkit.errors import RunError
from prmkit.evaluate.evaluation import EvaluationResult
from prmkit.recipe.bind import bind
from prmkit.recipe.catalog import locate
from prmkit.recipe.compose import compose, leaves
from prmkit.recipe.execute import execute
from prmkit.recipe.stages.evaluate_samples import EvaluateSamplesRecipe
from prmkit.recipe.stages.world import WorldRecipe
from prmkit.recipe.watch import Watch
from prmkit.report import build_report
from prmkit.run.files import write_json, writing
from prmkit.run.folder import RunFolder
from prmkit.run.results import ResultKind, read_result
from prmkit.search.result import SearchResult
from prmkit.similarity.result import SimilarityResult
from prmkit.similarity.statistics.result import SetScore
from prmkit.train.result import TrainingResult
from prmkit.trees_io import read_trees
from prmkit.world import WorldResult
from prmkit.world.config import PolicyConfig

HOME = "runs/demo"
"""The folder that the recipes in recipes/synthetic name."""

_SAMPLES = 8
_RULES = ("pass@1", f"maj@{_SAMPLES}", f"prm@{_SAMPLES}", f"pass@{_SAMPLES}")

Say = Callable[[str], None]
"""Called with a line for who watches."""


def run_demo(
    out: Path,
    *,
    from_scratch: bool = False,
    resume: bool = False,
    overwrite: bool = False,
    say: Say,
    watch: Watch | None = None,
) -> dict[str, Any]:
    """Run every stage below ``out``, write summary.json and report.html there, and return the summary.

    The summary holds, for each benchmark, the figures of the selection rules, their paired differences and the
    within-problem AUC of the final score; the similarity table; the seconds of each stage.

    Args:
        out: a new folder, or one of an earlier demo.
        from_scratch: train policy and backbone too, which takes some minutes, instead of taking the shipped ones.
        resume: go on with a demo that was cut off.
        overwrite: replace an earlier demo.
        say: told what each stage found.
        watch: shows the progress within a stage.

    Raises:
        InputError: the folder holds something, and neither ``resume`` nor ``overwrite`` was given, or it is no demo.
    """
    values = {"stage": "demo", "from_scratch": from_scratch}
    root = RunFolder.create(out, values, seed=0, resume=resume, overwrite=overwrite)
    loop = _Loop(root=root, clock=_Clock(say), resume=resume, watch=watch)
    with writing(root.path):
        world = WorldRecipe(stage="world", policy=PolicyConfig() if from_scratch else None)
        loop.run("world", WorldResult, world)
        labels = loop.run("annotate", AnnotationResult)
        say(f"{labels.labelled} steps labelled with {labels.ledger.continuations} rollouts")
        trained = loop.run("train", TrainingResult)
        say(f"PRM: held-out AUROC {trained.auroc:.3f} after {trained.steps} steps")
        summary: dict[str, Any] = {f"synthetic-{domain}": _search(loop, domain, say) for domain in ("math", "code")}
        compared = loop.run("similarity", SimilarityResult)
        summary["similarity"] = {f"{row.first} - {row.second}": _in_percent(row) for row in compared.table}
        with loop.clock.stage("report"):
            _explain(root, "search-math")
            runs = [root.path / name for name in ("search-math", "search-code", "annotate", "train", "similarity")]
            page, notes = root.path / "report.html", _notes(from_scratch)
            build_report(runs, page, title="The embedded world", notes=notes, overwrite=resume)
        summary["seconds"] = loop.clock.seconds
        write_json(root.path / "summary.json", summary)
    return summary


@dataclass(frozen=True, kw_only=True)
class _Loop:
    """The demo at work: each stage in a folder of its own below ``root``."""

    root: RunFolder
    clock: "_Clock"
    resume: bool
    watch: Watch | None

    def run(self, name: str, kind: type[ResultKind], recipe: BaseModel | None = None, folder: str = "") -> ResultKind:
        """Run a recipe, by default that of recipes/synthetic with its paths moved, and return its result."""
        with self.clock.stage(name):
            moved = recipe or moved_recipe(name, self.root.path)
            _, result = execute(moved, self.root.path / (folder or name), watch=self.watch, resume=self.resume)
        assert isinstance(result, kind)
        return result


def _search(loop: _Loop, domain: str, say: Say) -> dict[str, Any]:
    """Search the benchmark of a domain and evaluate what was found."""
    name = f"search-{domain}"
    loop.run(name, SearchResult)
    recipe = EvaluateSamplesRecipe(stage="evaluate-samples", path=str(loop.root.path / name))
    found = loop.run(f"evaluate-{domain}", EvaluationResult, recipe, folder=f"{name}/evaluation")
    selection = {rule: found.selection[rule] for rule in _RULES}
    shown = "  ".join(f"{rule} {100 * figure.value:.1f}%" for rule, figure in selection.items())
    say(f"synthetic-{domain}: {shown}")
    record = found.as_json()
    return {
        **{rule: record["selection"][rule] for rule in _RULES},
        "differences": record["differences"],
        "within_problem_auc": record["within_problem_auc"],
    }


def _in_percent(row: SetScore) -> dict[str, Any]:
    """A row of Table 2 as the paper prints it."""
    shares = {"stderr": row.stderr, "chance": row.chance, "centred": row.centred}
    percent = {name: None if share is None else 100 * share for name, share in shares.items()}
    return {**dict(row), "mean": 100 * row.sum / row.pairs, **percent}


def _explain(root: RunFolder, search: str) -> None:
    """Attribute the scores of one wrong solution for the report: the first of the first problem that has one.

    A solution whose integrated gradients do not converge is passed over.
    """
    from prmkit.attribution.explain import attribute
    from prmkit.attribution.record import add_record
    from prmkit.models.checkpoint import load_prm

    folder, prm = RunFolder(root.path / search), load_prm(root.path / "train" / "checkpoint")
    correct = read_result(folder.evaluation, EvaluationResult).correct
    for tree in read_trees(folder.trees):
        verdicts = zip(tree.leaves(), correct[tree.problem.id], strict=False)
        leaf = next((leaf for leaf, right in verdicts if tree.finished(leaf) and not right), None)
        if leaf is not None:
            try:
                found = attribute(prm, tree.problem, tree.steps(leaf))
            except RunError:
                continue
            add_record(found, folder.path, problem_id=tree.problem.id, leaf=leaf)
            return


def moved_recipe(name: str, out: Path) -> BaseModel:
    """A recipe of recipes/synthetic whose paths below ``HOME`` stand below ``out``."""
    path = locate(f"synthetic/{name}")
    moved = [
        f"{'.'.join(keys)}={json.dumps(out.as_posix() + value.removeprefix(HOME))}"
        for keys, value in leaves(compose(path).values)
        if isinstance(value, str) and value.startswith(f"{HOME}/")
    ]
    return bind(compose(path, moved))


def _notes(from_scratch: bool) -> list[str]:
    origin = (
        "were trained in this run" if from_scratch else "come with prmkit (prmkit demo --from-scratch remakes them)"
    )
    return [
        "A world small enough to know the truth of every step: chains of arithmetic, and small Python programs that "
        "unit tests judge. Its writers share their habits of misreading, so their mistakes agree.",
        f"The policy and the PRM's backbone {origin}. Step labels, PRM, search, figures: all of this run.",
        "Labels and PRM have seen problems of the training side only; the figures are of the test side.",
    ]


class _Clock:
    """The seconds of each stage."""

    def __init__(self, say: Say) -> None:
        self.seconds: dict[str, float] = {}
        self._say = say

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.monotonic()
        yield
        self.seconds[name] = round(time.monotonic() - start, 1)
        self._say(f"[{name}: {self.seconds[name]} s]")
