"""What a similarity run found."""

from collections.abc import Mapping
from typing import Any

from pydantic import Field

from prmkit.run.results import Result
from prmkit.similarity.statistics.result import Statistics


class SimilarityResult(Statistics, Result):
    """The statistics, and how the patterns were made.

    Attributes:
        responses: how many each set has.
        too_long: responses of each set that are longer than the model's context and were left out.
        origin: reference model, its dtype and attention, target, parameters, engine.
        known: choices of the preset that its paper states.
        inferred: choices that it leaves open, and what was chosen.
        seconds: of the run.
    """

    kind = "similarity"

    responses: dict[str, int]
    too_long: dict[str, int] = Field({})
    origin: dict[str, str]
    known: list[str] = Field([])
    inferred: list[str] = Field([])
    seconds: float

    @classmethod
    def upgraded(cls, record: dict[str, Any], version: int) -> dict[str, Any]:
        """Before version 1 shares were in per cent, and what ``origin`` and ``means`` hold stood beside the rest."""
        fields = {name: value for name, value in record.items() if name in cls.model_fields}
        origin = {name: value for name, value in record.items() if name not in fields}
        for name in fields.keys() & _SHARES.keys():
            fields[name] = [row | {share: _fraction(row[share]) for share in _SHARES[name]} for row in fields[name]]
        if "profile" in fields:
            fields["profile"] = [
                {"layer": row["layer"], "means": {pair: _fraction(row[pair]) for pair in row if pair != "layer"}}
                for row in fields["profile"]
            ]
        return fields | {"origin": origin}


_SHARES: Mapping[str, tuple[str, ...]] = {
    "table": ("mean", "stderr", "chance", "centred"),
    "differences": ("difference", "stderr", "low", "high"),
    "random_selection": ("observed", "expected", "low", "high"),
    "baselines": ("mean", "stderr"),
}


def _fraction(percent: float | None) -> float | None:
    return None if percent is None else percent / 100.0
