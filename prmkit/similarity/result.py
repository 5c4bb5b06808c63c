"""What a similarity run found."""

from pydantic import Field

from prmkit.run.results import Result
from prmkit.similarity.statistics.result import Statistics


class SimilarityResult(Statistics, Result):
    """The statistics, and how the patterns were made.

    Attributes:
        responses: how many each set has.
        origin: reference model, its dtype and attention, target, parameters, engine.
        known: choices of the preset that its paper states.
        inferred: choices that it leaves open, and what was chosen.
        seconds: of the run.
    """

    kind = "similarity"

    responses: dict[str, int]
    origin: dict[str, str]
    known: list[str] = Field([])
    inferred: list[str] = Field([])
    seconds: float
