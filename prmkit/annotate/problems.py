"""What shall be annotated: the problems of benchmarks and corpora, with the solutions that these already have."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from prmkit.annotate.result import Read
from prmkit.sources.corpus import Corpus
from prmkit.sources.sample import wording
from prmkit.tree import Problem, StepTree


@dataclass(slots=True)
class Gathered:
    """Trees without labels, and what became of those that were read.

    Args:
        problems: of benchmarks; each becomes a tree without steps.
        corpora: whose solutions are kept and whose labels are taken off.
        answers: corpora that know the answers of problems whose own corpus does not (Math-Shepherd's questions are
            GSM8K's and MATH's); a problem is known by its wording.
    """

    problems: Iterable[Problem]
    corpora: list[Corpus]
    answers: list[Corpus]
    counts: dict[str, int] = field(default_factory=lambda: {"answered": 0, "unanswered": 0})

    def __iter__(self) -> Iterator[StepTree]:
        known = {wording(tree.problem.prompt): tree.problem.answer for corpus in self.answers for tree in corpus}
        for problem in self.problems:
            yield StepTree(problem)
        for corpus in self.corpora:
            for tree in corpus:
                yield _bare(tree, self._answered(tree.problem, known))

    def record(self) -> Read:
        """What was read of each corpus and how, and how many answers were found elsewhere or not at all."""
        return Read(corpora=[corpus.record() for corpus in self.corpora], **self.counts)

    def _answered(self, problem: Problem, known: Mapping[str, str | None]) -> Problem:
        if problem.domain != "math" or problem.answer is not None:
            return problem
        answer = known.get(wording(problem.prompt))
        self.counts["unanswered" if answer is None else "answered"] += 1
        return replace(problem, answer=answer)


def _bare(tree: StepTree, problem: Problem) -> StepTree:
    """The tree without labels; of a code problem only the public tests, which are what a label may know."""
    public = tuple(case for case in problem.tests if case.public)
    bare = StepTree(replace(problem, tests=public or problem.tests), meta=dict(tree.meta))
    for node in tree.nodes:
        bare.append(replace(node, label=None, score=None))
    return bare
