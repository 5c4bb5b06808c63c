"""What a training ended with."""

from prmkit.run.results import Result
from prmkit.sources.corpus import CorpusRecord
from prmkit.stats import Known


class TrainingResult(Result):
    """The held-out figures of the kept weights, and what the training took.

    Attributes:
        loss: of held-out labels; the following four are of held-out steps too, without errors.
        auroc: a right step outscores a wrong one.
        brier: Brier score.
        ece: expected calibration error.
        f1: first-error F1.
        steps: of the optimiser.
        tokens: read while training.
        flops: of the training.
        seconds: of the training.
        data_seconds: of these, spent waiting for batches.
        pretraining_flops: of the backbone, 6 N D; None where its tokens are not published.
        rows: sequences.
        labels: in them, held-out ones included.
        cut: sequences cut at the length limit.
        dropped: sequences of which nothing was left.
        labels_lost: by cutting.
        too_long: trees whose problem leaves no room for a step.
        corpus: what was read.
    """

    kind = "training"

    loss: Known
    auroc: Known
    brier: Known
    ece: Known
    f1: Known
    steps: int
    tokens: int
    flops: float
    seconds: float
    rows: int
    labels: int
    cut: int
    dropped: int
    labels_lost: int
    too_long: int = 0
    data_seconds: float | None = None
    pretraining_flops: float | None = None
    corpus: CorpusRecord
