"""Annotation of a corpus, from problems to a file of labelled trees, in passes that each end in a file.

problems -> solutions -> one pass an annotator -> consensus -> sample -> trees.jsonl
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from prmkit.annotate.consensus import Consensus, ConsensusConfig
from prmkit.annotate.passes import PassDone, PassJournal, RunToEnd, run_pass
from prmkit.annotate.result import AnnotationFigures, PassCost
from prmkit.errors import InputError
from prmkit.run.activity import busy
from prmkit.run.seeds import derived_seed
from prmkit.session import Engines, Session
from prmkit.session.journal import Journal
from prmkit.session.ledger import Ledger
from prmkit.sources.sample import SampleConfig, sample
from prmkit.tree import ROOT, StepTree
from prmkit.trees_io import read_trees, write_trees

BoundEstimator = Callable[[Session], Awaitable[None]]
Load = Callable[[Journal, int], Engines]
"""Loads a model for a pass; told its journal and its seed."""

PassWatch = Callable[[str, int], AbstractContextManager[PassDone]]
"""Shows the progress of a pass: told its name and the number of trees, it gives a function to call as they are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotator:
    """A name, an estimator with its options, and what loads the model that it asks."""

    name: str
    estimate: BoundEstimator
    load: Load


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """What an annotation shall do.

    ``policy`` writes ``solutions`` of each problem that comes without any. Several annotators need a ``consensus``; the
    labels of a single one stand as they are.
    """

    policy: Load
    solutions: int
    annotators: Sequence[Annotator]
    consensus: ConsensusConfig | None = None
    sample: SampleConfig | None = None
    seed: int = 0


def annotate(problems: Path, annotation: Annotation, folder: Path, *, watch: PassWatch) -> AnnotationFigures:
    """Label the trees of the file ``problems``, write ``folder/trees.jsonl``, and return what was made.

    Each pass leaves a file in ``folder/passes``; a run that was killed goes on with the pass that it was in, and pays
    for no reply twice.

    Raises:
        InputError: no tree, or several annotators without a consensus.
    """
    start = time.monotonic()
    with busy("counting the problems"):
        total, bare = _count(problems)
    if not total:
        raise InputError("no problem to annotate", where=problems, expected="at least one")
    with asyncio.Runner() as runner:  # an engine belongs to the event loop that first asked it
        passes = _Passes(folder, annotation.seed, total, watch, runner.run)
        solved = problems
        if bare and annotation.solutions:
            solved = passes.run("solutions", problems, annotation.policy, _writing(annotation.solutions))
        labelled = [passes.run(each.name, solved, each.load, each.estimate) for each in annotation.annotators]
    counts = _Counts()
    consensus = _consensus(annotation)
    with busy("writing the labelled trees"):
        kept = _kept(labelled, consensus, counts)
        for stale in (passes.path("kept"), folder / "trees.jsonl"):
            stale.unlink(missing_ok=True)
        if annotation.sample is not None:
            write_trees(passes.path("kept"), kept)
            # Where nothing was kept there is nothing to draw from, which read_trees would call a fault.
            drawn_from = passes.path("kept")
            kept = sample(
                lambda: read_trees(drawn_from) if drawn_from.stat().st_size else (), annotation.sample, annotation.seed
            )
        write_trees(folder / "trees.jsonl", map(counts.add, kept))
    return AnnotationFigures(
        problems=total,
        **counts.as_dict(),
        consensus=consensus.report() if consensus is not None else None,
        seconds=time.monotonic() - start,
        passes={
            name: PassCost(
                rollouts=ledger.continuations,
                tokens=ledger.prefill_tokens + ledger.decode_tokens,
                too_long=ledger.too_long,
            )
            for name, ledger in passes.ledgers.items()
        },
        ledger=passes.cost(),
    )


@dataclass(slots=True)
class _Passes:
    """The passes of a run and what they cost, by name."""

    folder: Path
    seed: int
    total: int
    watch: PassWatch
    run_to_end: RunToEnd
    ledgers: dict[str, Ledger] = field(default_factory=dict)

    def path(self, name: str) -> Path:
        return self.folder / "passes" / f"{name}.jsonl"

    def run(self, name: str, trees: Path, load: Load, estimate: BoundEstimator) -> Path:
        def engines() -> Engines:
            journal = PassJournal(self.folder / "journal.jsonl", name)
            # Each pass draws its own random numbers: annotators that share a model must not share its luck.
            return load(journal, derived_seed(self.seed, name) % 2**32)

        with self.watch(name, self.total) as done:
            self.ledgers[name] = run_pass(
                read_trees(trees), engines, estimate, self.path(name), done=done, run=self.run_to_end
            )
        return self.path(name)

    def cost(self) -> Ledger:
        ledger = Ledger()
        for each in self.ledgers.values():
            ledger.add(each)
        return ledger


@dataclass(slots=True)
class _Counts:
    """What became of the trees."""

    trees: int = 0
    steps: int = 0
    labelled: int = 0
    unlabelled: int = 0
    sum_of_labels: float = 0.0

    def add(self, tree: StepTree) -> StepTree:
        values = [node.label.value for node in tree if node.label is not None]
        self.trees += 1
        self.steps += len(tree)
        self.labelled += len(values)
        self.sum_of_labels += sum(values)
        return tree

    def as_dict(self) -> dict[str, Any]:
        return {
            "trees": self.trees,
            "unlabelled": self.unlabelled,
            "steps": self.steps,
            "labelled": self.labelled,
            "mean_label": self.sum_of_labels / self.labelled if self.labelled else None,
        }


def _count(problems: Path) -> tuple[int, int]:
    """The number of trees, and of those without steps."""
    total = bare = 0
    for tree in read_trees(problems):
        total += 1
        bare += not tree.nodes
    return total, bare


def _writing(solutions: int) -> BoundEstimator:
    async def write(session: Session) -> None:
        if not session.tree.nodes:
            await session.complete(ROOT, solutions)

    return write


def _consensus(annotation: Annotation) -> Consensus | None:
    names = [each.name for each in annotation.annotators]
    if annotation.consensus is not None:
        return Consensus(names, annotation.consensus)
    if len(names) != 1:
        raise InputError("several annotators need a consensus", got=names, cure="Give the recipe consensus: {}.")
    return None


def _kept(labelled: Sequence[Path], consensus: Consensus | None, counts: _Counts) -> Iterator[StepTree]:
    """The trees with the labels that stand; one without any has nothing to learn from."""
    for versions in zip(*map(read_trees, labelled), strict=True):
        tree = versions[0] if consensus is None else consensus.keep(versions)
        if tree is not None and any(node.label is not None for node in tree):
            yield tree
        else:
            counts.unlabelled += 1
