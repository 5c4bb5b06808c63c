"""Engine replies as the journal keeps them: short keys, texts, counts; no token ids.

A draw is ``{"w": [[finish, step, ...], ...], "c": [cached, prefill, decode, longest, flops, seconds, elapsed]}``, a
reading ``{"s": [score, ...], "c": [cached, tokens, flops, seconds, elapsed]}``. Unknown FLOPs are null.
"""

import math
from collections.abc import Sequence
from typing import Any, Protocol

from prmkit.generate import Generation
from prmkit.score import Scores
from prmkit.session.growth import Written
from prmkit.session.ledger import Ledger
from prmkit.tree import Finish

JournalReply = dict[str, Any]

_SHORT: dict[Finish, str] = {"stop": "s", "eos": "e", "length": "l", "cancelled": "c"}
_LONG: dict[str, Finish] = {short: finish for finish, short in _SHORT.items()}

SCORE_DIGITS = 7
"""Decimals of a step score: as many as float32 knows near 1, and as the logit of particle filtering is clipped to."""


class Splitter(Protocol):
    """Turns generated ids into the texts of steps (StepEncoder does)."""

    def steps_of(self, ids: Sequence[int]) -> list[str]:
        """The steps, empty ones left out."""
        ...


def of_draw(generation: Generation, encoder: Splitter, *, capped: bool, seconds: float, elapsed: float) -> JournalReply:
    """The reply of a generator. What the budget cut short (``capped``) was cancelled; it is not a long solution."""
    continuations = generation.continuations
    finishes = ["cancelled" if capped and one.finish == "length" else one.finish for one in continuations]
    return {
        "w": [
            [_SHORT[finish], *encoder.steps_of(one.ids)] for one, finish in zip(continuations, finishes, strict=True)
        ],
        "c": [
            generation.cached_tokens,
            generation.prefill_tokens,
            generation.decode_tokens,
            max(len(one.ids) + (one.finish == "eos") for one in continuations),
            generation.flops,
            round(seconds, 4),
            round(elapsed, 3),
        ],
    }


def of_reading(scores: Scores, *, seconds: float, elapsed: float) -> JournalReply:
    """The reply of a scorer."""
    values = [round(value, SCORE_DIGITS) for value in scores.values]
    return {
        "s": values,
        "c": [scores.cached_tokens, scores.tokens, scores.flops, round(seconds, 4), round(elapsed, 3)],
    }


def written(reply: JournalReply) -> list[Written]:
    """The continuations of a draw."""
    return [Written(tuple(steps), _LONG[finish]) for finish, *steps in reply["w"]]


def longest(reply: JournalReply) -> int:
    """Tokens of the longest continuation of a draw."""
    return int(reply["c"][3])


def elapsed(reply: JournalReply) -> float:
    """Seconds from the beginning of the problem to the reply."""
    return float(reply["c"][-1])


def charge_draw(ledger: Ledger, reply: JournalReply) -> None:
    """Count a draw."""
    cached, prefill, decode, _, flops, seconds, _ = reply["c"]
    ledger.generator_calls += 1
    ledger.continuations += len(reply["w"])
    ledger.cached_tokens += cached
    ledger.prefill_tokens += prefill
    ledger.decode_tokens += decode
    ledger.generator_flops += math.nan if flops is None else flops
    ledger.generator_seconds += seconds


def charge_reading(ledger: Ledger, reply: JournalReply) -> None:
    """Count a reading of the PRM."""
    cached, tokens, flops, seconds, _ = reply["c"]
    ledger.prm_calls += 1
    ledger.prm_cached_tokens += cached
    ledger.prm_tokens += tokens
    ledger.prm_flops += math.nan if flops is None else flops
    ledger.prm_seconds += seconds
