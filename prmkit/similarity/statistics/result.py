"""The statistics of a Gram, as a result keeps them. Cosines and their differences are in [-1, 1]."""

from pydantic import Field

from prmkit.run.results import Figures
from prmkit.stats import Estimate, Known


class SetScore(Figures):
    """The similarity of two sets: one row of the paper's Table 2.

    Attributes:
        first: name of a set.
        second: name of the other.
        mean: mean cosine.
        stderr: its standard error; NaN with fewer than two problems on a side.
        sum: the sum of the cosines, as the paper's formula has it.
        chance: the mean cosine if each pattern's values stood at random places; None for a baseline.
        centred: the mean Pearson correlation of the patterns; None for a baseline, and where there is no Gram.
        pairs: number of pairs.
    """

    first: str
    second: str
    mean: float
    stderr: Known
    sum: float
    chance: float | None
    centred: float | None
    pairs: int


class LayerProfile(Figures):
    """The mean cosine of each pair of sets in one layer (-1: outside the layers), by ``first - second``."""

    layer: int
    means: dict[str, float]


class SetDifference(Figures):
    """A pair with chosen sets less the pair of the sets that they were chosen from, with a 95 % interval."""

    pair: str
    less: str
    difference: float
    stderr: Known
    low: Known
    high: Known
    problems: int


class SelectionTest(Figures):
    """The outcome of a permutation test of a selector.

    Attributes:
        first: name of a set.
        second: name of the other.
        strata: what random choices share with the choice they stand for: ``none``, ``length``,
            ``correct``, or ``correct and length``.
        observed: score of the chosen responses.
        expected: its exact mean under random selection.
        low: lower end of the range that holds 95 % of the scores of random selections.
        high: its upper end.
        p_value: (1 + draws at least as high as observed) / (1 + draws), one-sided.
        p_holm: the same, adjusted for the number of pairs tested under the same strata; None of a single test.
        draws: number of random selections.
        problems: number of problems with a choice.
        free: of these, the problems that leave a choice within the strata.
    """

    first: str
    second: str
    strata: str
    observed: float
    expected: float
    low: float
    high: float
    p_value: float
    p_holm: float | None = None
    draws: int
    problems: int
    free: int


class BaselineScore(Figures):
    """The score of two sets by another similarity of the same responses."""

    baseline: str
    first: str
    second: str
    mean: float
    stderr: Known


class Discrepancy(Figures):
    """The squared maximum mean discrepancy of two sets under a kernel."""

    kernel: str
    first: str
    second: str
    squared: float


class TextFacts(Figures):
    """What can be read off the responses of a set; errors are clustered by problem.

    Attributes:
        set: its name.
        responses: how many.
        tokens: of a response.
        steps: of a response, its lines.
        right: the share that is right; None where that is not known of all.
        rethinks: the share with a marker of rethinking.
        markers: of rethinking, in 100 tokens.
    """

    set: str
    responses: int
    tokens: Estimate
    steps: Estimate
    right: Estimate | None
    rethinks: Estimate
    markers: Estimate = Field(alias="markers per 100 tokens")


class Statistics(Figures):
    """All statistics of a Gram; what it does not allow is empty.

    Attributes:
        table: every pair of sets, and each set with itself: Table 2.
        profile: the same by layer.
        differences: of chosen sets, against the same other set.
        random_selection: each such pair against random selection from the same candidates, with and without strata.
        baselines: other similarities of the same responses.
        mmd: of sets that share no response.
        texts: lengths and rethinking markers.
    """

    table: list[SetScore]
    profile: list[LayerProfile] = Field([])
    differences: list[SetDifference] = Field([])
    random_selection: list[SelectionTest] = Field([])
    baselines: list[BaselineScore] = Field([])
    mmd: list[Discrepancy] = Field([])
    texts: list[TextFacts] = Field([])
