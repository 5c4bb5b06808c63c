"""What an annotation read, made and paid."""

from prmkit.run.results import Figures, Result
from prmkit.session.ledger import Ledger
from prmkit.sources.corpus import CorpusRecord


class Read(Result):
    """The corpora that were read, and how many answers were found in other corpora, or nowhere."""

    kind = "annotation-read"

    corpora: list[CorpusRecord]
    answered: int
    unanswered: int


class Agreement(Figures):
    """Two annotators: on how many solutions both gave a verdict, on what share they agree, and Cohen's kappa."""

    first: str
    second: str
    solutions: int
    agree: float | None
    kappa: float | None


class ConsensusReport(Figures):
    """What a consensus kept: ``dropped`` counts solutions by what the annotators disagreed on."""

    solutions: int
    kept: int
    kept_share: float | None
    dropped: dict[str, int]
    agreement: list[Agreement]


class PassCost(Figures):
    """What one pass drew: rollouts, and the tokens that were computed for them.

    ``too_long`` counts the prompts that fill the context of its model: problems, which get no label, and solutions
    that a judge has no room to read.
    """

    rollouts: int
    tokens: int
    too_long: int = 0


class AnnotationFigures(Figures):
    """What an annotation made.

    Attributes:
        problems: that were read.
        trees: that were kept.
        unlabelled: trees left out, since no step of them has a label.
        steps: of the kept trees.
        labelled: steps with a label.
        mean_label: of these; None where there is none.
        consensus: of several annotators.
        seconds: of the run.
        passes: what each took, by name.
        ledger: summed over the passes.
    """

    problems: int
    trees: int
    unlabelled: int
    steps: int
    labelled: int
    mean_label: float | None
    consensus: ConsensusReport | None = None
    seconds: float
    passes: dict[str, PassCost]
    ledger: Ledger


class AnnotationResult(AnnotationFigures, Result):
    """The same, with what was read, and the first problem as the policy read it."""

    kind = "annotation"

    read: Read
    prompt: str = ""
