"""What an attribution says.

Shapes: T tokens, S steps. Values are of logits: a step score is the sigmoid of its logit.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import RootModel

from prmkit.run.results import parsed
from prmkit.trees_io import append_lines, read_lines, repair_lines

RECORDS = "attributions.jsonl"
"""The file of a run folder with a line for each attribution; of a solution, a report shows the last one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenAttribution:
    """How much each token adds to the logit of one step's score, by a gradient method.

    A gradient explains a straight line through the model, not the model: ``ablation`` says what the tokens do that it
    names.

    Attributes:
        method: its name.
        values: of each token, T of them.
        change: what there is to explain: the logit less that of the baseline text; None where there is no baseline.
        delta: the sum of the values less ``change``; None where there is no baseline.
        ablation: fall of the logit when the tenth of the tokens with the largest values is made neutral.
        random_ablation: mean fall when as many random tokens are.
    """

    method: str
    values: tuple[float, ...]
    change: float | None
    delta: float | None
    ablation: float
    random_ablation: float

    @property
    def relative_delta(self) -> float | None:
        """|delta| as a share of |change|."""
        return None if self.delta is None or not self.change else abs(self.delta / self.change)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInfluence:
    """How much each step raises the logit of each step's score: row i, column j is step i on score j.

    Attributes:
        method: its name.
        matrix: S rows of S values; 0 where i > j, as a score is read before later steps.
        change: of each score, its logit less that of the solution whose steps are all neutral.
        gap: largest difference between a column's sum and ``change``: 0 for Shapley values; what steps do together, for
            ablation one by one.
    """

    method: str
    matrix: tuple[tuple[float, ...], ...]
    change: tuple[float, ...]
    gap: float

    def array(self) -> NDArray[np.float64]:
        """[S, S]."""
        return np.array(self.matrix)

    def lowering(self, score: int) -> list[int]:
        """Steps by how much they lower a score, most first."""
        order = np.argsort(self.array()[: score + 1, score], kind="stable")
        return [int(step) for step in order]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """One solution, its scores, and what made them.

    Attributes:
        problem: its text.
        steps: of the solution.
        scores: of the steps, in [0, 1].
        explained: index of the step whose score the tokens are attributed to.
        tokens: text of each token, of the problem and the steps.
        step_of: the step each token belongs to; -1 for the problem.
        neutral: text of the token that stands where something was taken away.
        by_token: token attributions.
        by_step: step influences.
    """

    problem: str
    steps: tuple[str, ...]
    scores: tuple[float, ...]
    explained: int
    tokens: tuple[str, ...]
    step_of: tuple[int, ...]
    neutral: str
    by_token: tuple[TokenAttribution, ...]
    by_step: tuple[StepInfluence, ...]

    def as_dict(self) -> dict[str, Any]:
        """The attribution as JSON has it."""
        return asdict(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedAttribution(Attribution):
    """An attribution in a run folder, of the solution to a problem of its trees that ends in the step ``leaf``."""

    problem_id: str
    leaf: int


class _Line(RootModel[RecordedAttribution]):
    pass


def add_record(found: Attribution, folder: Path, *, problem_id: str, leaf: int) -> Path:
    """Add an attribution of the solution that ends in ``leaf`` to a run folder, and return the file."""
    file = folder / RECORDS
    repair_lines(file)
    append_lines(file, [{"problem_id": problem_id, "leaf": leaf, **found.as_dict()}])
    return file


def read_records(folder: Path) -> list[RecordedAttribution]:
    """The attributions in a run folder, the oldest first; none where there is no file.

    Raises:
        InputError: with ``file:line``, for a line that is no attribution.
    """
    file = folder / RECORDS
    if not file.is_file():
        return []
    return [parsed(_Line, record, f"{file}:{number}").root for number, record in read_lines(file)]


def first_bad_step(scores: Sequence[float]) -> int:
    """The first step scored below 1/2; the lowest one if there is none."""
    bad = [step for step, score in enumerate(scores) if score < 0.5]
    return bad[0] if bad else int(np.argmin(scores))
