"""Consensus of several annotators: a solution is kept only if they name the same first wrong step."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

from pydantic import BaseModel, ConfigDict, Field

from prmkit.annotate.result import Agreement, ConsensusReport
from prmkit.errors import InputError
from prmkit.tree import ROOT, Label, StepTree

SOURCE = "consensus"
NO_ERROR = -1


class ConsensusConfig(BaseModel):
    """How many annotators must agree."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    agree: int | None = Field(None, ge=2, description="annotators that must name the same step; default: all of them")
    threshold: float = Field(0.0, ge=0.0, lt=1.0, description="a step is wrong if its label is at or below this")


def first_error(tree: StepTree, leaf: int, threshold: float) -> int | None:
    """The 0-based first step of a solution that its labels call wrong, -1 for none.

    None, no verdict, where a step before it has no label.
    """
    for place, node in enumerate(tree.path(leaf)):
        label = tree.nodes[node].label
        if label is None:
            return None
        if label.value <= threshold:
            return place
    return NO_ERROR


def agreed(verdicts: Sequence[int | None], needed: int) -> int | None:
    """The first error that at least ``needed`` annotators name, None if there is none or there are two."""
    counts = Counter(verdict for verdict in verdicts if verdict is not None)
    enough = [verdict for verdict, count in counts.items() if count >= needed]
    return enough[0] if len(enough) == 1 else None


def cohens_kappa(pairs: Mapping[tuple[int, int], int]) -> float | None:
    """Agreement of two annotators beyond chance, in [-1, 1]: (p_o - p_e) / (1 - p_e). None where chance alone is 1.

    Args:
        pairs: how often each pair of verdicts was given.

    Source: Cohen 1960, A coefficient of agreement for nominal scales.

    Raises:
        InputError: there is no pair.
    """
    n = sum(pairs.values())
    if not n:
        raise InputError("no solution on which both annotators gave a verdict")
    firsts: Counter[int] = Counter()
    seconds: Counter[int] = Counter()
    for (first, second), count in pairs.items():
        firsts[first] += count
        seconds[second] += count
    observed = sum(count for (first, second), count in pairs.items() if first == second) / n
    chance = sum(count * seconds[verdict] for verdict, count in firsts.items()) / n**2
    return None if chance == 1 else (observed - chance) / (1 - chance)


@dataclass(slots=True)
class Consensus:
    """The filter, and the account of what it did; give it trees one after another.

    Args:
        names: of the annotators.
        config: how many must agree.

    Raises:
        InputError: fewer than two annotators, or more must agree than there are.
    """

    names: Sequence[str]
    config: ConsensusConfig
    solutions: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    _verdicts: Counter[tuple[int | None, ...]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        if len(self.names) < 2 or self.needed > len(self.names):
            raise InputError(
                "no consensus among so few annotators", got=len(self.names), expected=f"at least {max(2, self.needed)}"
            )

    @property
    def needed(self) -> int:
        """How many annotators must agree."""
        return self.config.agree or len(self.names)

    def keep(self, versions: Sequence[StepTree]) -> StepTree | None:
        """The solutions of a tree on which the annotators agree, with the agreed labels; None if there is none.

        Steps up to the first error are labelled, later ones not. A step that belongs to kept solutions of different
        verdicts is right if one of them is right there.

        Args:
            versions: the tree as each annotator labelled it, in the order of the names.

        Raises:
            InputError: the versions differ in their steps.
        """
        tree = versions[0]
        if any([node.text for node in each] != [node.text for node in tree] for each in versions):
            raise InputError("annotators must label the same steps", where=tree.problem.id)
        found: dict[int, int] = {}
        for leaf in tree.leaves():
            verdicts = tuple(first_error(each, leaf, self.config.threshold) for each in versions)
            self._verdicts[verdicts] += 1
            self.solutions += 1
            verdict = agreed(verdicts, self.needed)
            if verdict is None:
                self.dropped[self._reason(verdicts)] += 1
            else:
                self.kept += 1
                found[leaf] = verdict
        return _with_verdicts(tree, found) if found else None

    def _reason(self, verdicts: Sequence[int | None]) -> str:
        if None in verdicts:
            return "no verdict of " + " and ".join(
                name for name, verdict in zip(self.names, verdicts, strict=True) if verdict is None
            )
        if NO_ERROR in verdicts:
            return "whether there is an error"
        return "where the first error is"

    def report(self) -> ConsensusReport:
        """What was kept and why, and how far each two annotators agree."""
        rows = [self._agreement(one, other) for one, other in combinations(range(len(self.names)), 2)]
        return ConsensusReport(
            solutions=self.solutions,
            kept=self.kept,
            kept_share=self.kept / self.solutions if self.solutions else None,
            dropped=dict(sorted(self.dropped.items())),
            agreement=rows,
        )

    def _agreement(self, one: int, other: int) -> Agreement:
        pairs: Counter[tuple[int, int]] = Counter()
        for verdicts, count in self._verdicts.items():
            first, second = verdicts[one], verdicts[other]
            if first is not None and second is not None:
                pairs[first, second] += count
        same = sum(count for (first, second), count in pairs.items() if first == second)
        return Agreement(
            first=self.names[one],
            second=self.names[other],
            solutions=pairs.total(),
            agree=same / pairs.total() if pairs else None,
            kappa=cohens_kappa(pairs) if pairs else None,
        )


def _with_verdicts(tree: StepTree, found: dict[int, int]) -> StepTree:
    """The paths of some solutions, labelled by their first errors."""
    right: set[int] = set()
    wrong: set[int] = set()
    wanted: set[int] = set()
    for leaf, first in found.items():
        path = tree.path(leaf)
        wanted.update(path)
        right.update(path if first == NO_ERROR else path[:first])
        wrong.update(path[first : first + 1] if first != NO_ERROR else ())
    kept = StepTree(tree.problem, meta=dict(tree.meta))
    new_of = {ROOT: ROOT}
    for index, node in enumerate(tree.nodes):
        if index not in wanted:
            continue
        known = index in right or index in wrong
        label = Label(value=float(index in right), source=SOURCE) if known else None
        new_of[index] = kept.append(replace(node, parent=new_of[node.parent], label=label, score=None))
    return kept
