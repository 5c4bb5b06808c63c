"""The solutions of a problem and what is known of each: one record, whether a search wrote them or anybody else."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from prmkit.errors import InputError
from prmkit.evaluate.selection import Samples
from prmkit.grade.found import Found
from prmkit.score.aggregate import Aggregation, aggregate
from prmkit.tree import ROOT, Problem, StepTree


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """One solution of a problem.

    Attributes:
        text: its steps, a line each.
        finished: whether it came to its own end; another has no vote, is never right, and scores the least: 0, or less
            than every other one of its problem where scores are no probabilities.
        step_scores: of its steps that a PRM reads, None for one without; empty where no PRM read it.
        score: of the whole, where its writer gave one number.
        unread: whether the PRM reads none of its steps; in a search such a solution takes part only where none has a
            score, and beside those of others its score counts as 0.
        leaf: its last step in the tree that it comes from; ROOT where it comes from none.
        answer: the number of its answer, the same for answers that agree; None has no vote.
        right: the verdict.
        right_on_base: the verdict by the base tests alone; see ``Solutions.tells_base``.
        found: what was judged in it, and the rule that found it; None where nothing was.
    """

    text: str
    finished: bool = True
    step_scores: tuple[float | None, ...] = ()
    score: float | None = None
    unread: bool = False
    leaf: int = ROOT
    answer: int | None = None
    right: bool = False
    right_on_base: bool = False
    found: Found | None = None

    @property
    def has_score(self) -> bool:
        """Whether it, or any step of it, has a score."""
        return self.score is not None or any(score is not None for score in self.step_scores)

    def scored(self, how: Aggregation) -> float | None:
        """The score of the whole: the given one, or that of its steps; None where a step has none."""
        if self.score is not None:
            return self.score
        scores = [score for score in self.step_scores if score is not None]
        return aggregate(scores, how) if scores and len(scores) == len(self.step_scores) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Solutions:
    """A problem and the solutions that were written for it, in their order.

    Attributes:
        problem: what was asked.
        solutions: of it.
        unwritten: how many more were paid for and have no text; they have no vote, are not right, and score 0.
        verdicts: where they came with the solutions: of each, whether it is right; else they are judged here.
        groups: what the problem belongs to, by kind: level, subject, domain.
        where: the place of the solutions, for messages.
        tells_base: whether base tests were told from the others (HumanEval+, MBPP+).
    """

    problem: Problem
    solutions: tuple[Solution, ...]
    unwritten: int = 0
    verdicts: tuple[bool, ...] | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    where: str = ""
    tells_base: bool = False

    @property
    def finished(self) -> list[Solution]:
        """The solutions that came to their own end."""
        return [solution for solution in self.solutions if solution.finished]

    def judged(
        self,
        answers: Sequence[int | None],
        right: Sequence[bool],
        base: Sequence[bool] | None = None,
        found: Sequence[Found | None] | None = None,
    ) -> "Solutions":
        """With an answer and a verdict for each finished solution, and one by base tests, where there are such.

        Args:
            answers: the number of each answer.
            right: the verdicts.
            base: those by base tests.
            found: what they are about.
        """
        verdicts = iter(zip(answers, right, base or [False] * len(right), found or [None] * len(right), strict=True))
        solutions = []
        for each in self.solutions:
            if each.finished:
                answer, verdict, on_base, text = next(verdicts)
                solutions.append(replace(each, answer=answer, right=verdict, right_on_base=on_base, found=text))
            else:
                solutions.append(each)
        return replace(self, solutions=tuple(solutions), tells_base=base is not None)


def solutions_in(tree: StepTree) -> Solutions:
    """The solutions of a tree, not judged yet, in the order in which they were written."""
    leaves = tree.leaves()
    return Solutions(
        problem=tree.problem,
        solutions=tuple(
            Solution(
                text=tree.solution(leaf),
                finished=tree.finished(leaf),
                step_scores=_step_scores(tree, leaf),
                unread=not tree.read_path(leaf),
                leaf=leaf,
            )
            for leaf in leaves
        ),
        unwritten=max(0, int(tree.meta.get("generations", 0)) - len(leaves)),
        groups=groups_of(tree.problem),
        where=tree.problem.id,
    )


def groups_of(problem: Problem) -> dict[str, str]:
    """What figures of the problem are told apart by: its level, subject and domain, as far as they are known."""
    known = {"level": problem.level, "subject": problem.subject, "domain": problem.domain}
    return {kind: name for kind, name in known.items() if name}


def samples_of(judged: Solutions, how: Aggregation | None) -> Samples:
    """Judged solutions as samples of their problem. Without an aggregation every score is 0.

    Raises:
        InputError: a finished solution has no score.
    """
    found = [
        None if how is None or not each.finished or each.unread else _score(judged, each, how)
        for each in judged.solutions
    ]
    least = min([0.0, *(score - 1.0 for score in found if score is not None and score < 0.0)])
    missing = [False] * judged.unwritten
    return Samples(
        problem_id=judged.problem.id,
        scores=(*(least if score is None else score for score in found), *[least] * judged.unwritten),
        classes=(*(each.answer for each in judged.solutions), *[None] * judged.unwritten),
        correct=(*(each.right for each in judged.solutions), *missing),
        base=(*(each.right_on_base for each in judged.solutions), *missing) if judged.tells_base else None,
        groups=judged.groups,
    )


def _score(judged: Solutions, solution: Solution, how: Aggregation) -> float:
    score = solution.scored(how)
    if score is None:
        raise InputError("a step has no score", where=judged.where, got=solution.leaf, cure="Search with a PRM.")
    return score


def _step_scores(tree: StepTree, leaf: int) -> tuple[float | None, ...]:
    scores = tuple(tree.nodes[node].score for node in tree.read_path(leaf))
    return () if all(score is None for score in scores) else scores
