"""Engine replies as the journal keeps them: short keys, texts, token ids, counts.

A draw is ``{"w": [[finish, step, ...], ...], "c": [cached, prefill, decode, longest, flops, seconds, elapsed]}``, where
a step is ``{"t": text, "i": token ids, "r": raw text, "h": whether it is a thought}`` without what is null or false, a
reading ``{"s": [score, ...], "c": [cached, tokens, flops, seconds, elapsed]}``, and of steps that were read in a window
``"in": how many``. A prompt that the policy refused as too long is ``{"full": its context, "c": [elapsed]}``. Unknown
FLOPs, and a context that no one told, are null.
"""

import math
from typing import Any

from prmkit.generate.drawing import Drawing
from prmkit.generate.written import Written, WrittenStep
from prmkit.score import Scores
from prmkit.session.ledger import Ledger
from prmkit.tree import Finish

JournalReply = dict[str, Any]

_SHORT: dict[Finish, str] = {"stop": "s", "eos": "e", "length": "l", "cancelled": "c"}
_LONG: dict[str, Finish] = {short: finish for finish, short in _SHORT.items()}

SCORE_DIGITS = 7
"""Decimals of a step score: as many as float32 knows near 1, and as the logit of particle filtering is clipped to."""


def of_draw(drawing: Drawing, *, capped: bool, seconds: float, elapsed: float) -> JournalReply:
    """The reply of a generator. What the budget cut short (``capped``) was cancelled; it is not a long solution."""
    cost = drawing.cost
    return {
        "w": [
            [_SHORT["cancelled" if capped and one.finish == "length" else one.finish], *map(_record, one.steps)]
            for one in drawing.written
        ],
        "c": [
            cost.cached_tokens,
            cost.prefill_tokens,
            cost.decode_tokens,
            drawing.longest,
            cost.flops,
            round(seconds, 4),
            round(elapsed, 3),
        ],
    }


def of_refusal(context: int | None, *, elapsed: float) -> JournalReply:
    """What stands for the reply of a generator whose context the prompt fills."""
    return {"full": context, "c": [round(elapsed, 3)]}


def is_refusal(reply: JournalReply) -> bool:
    """Whether the prompt filled the context."""
    return "full" in reply


def of_reading(scores: Scores, *, seconds: float, elapsed: float) -> JournalReply:
    """The reply of a scorer."""
    values = [round(value, SCORE_DIGITS) for value in scores.values]
    reply = {
        "s": values,
        "c": [scores.cached_tokens, scores.tokens, scores.flops, round(seconds, 4), round(elapsed, 3)],
    }
    return reply | {"in": scores.windowed} if scores.windowed else reply


def written(reply: JournalReply) -> list[Written]:
    """The continuations of a draw."""
    return [Written(tuple(map(_step, steps)), _LONG[finish]) for finish, *steps in reply["w"]]


def _record(step: WrittenStep) -> dict[str, Any]:
    record: dict[str, Any] = {"t": step.text}
    if step.ids is not None:
        record["i"] = list(step.ids)
    if step.raw is not None:
        record["r"] = step.raw
    return record | ({"h": True} if step.thought else {})


def _step(record: dict[str, Any]) -> WrittenStep:
    return WrittenStep(text=record["t"], ids=record.get("i"), raw=record.get("r"), thought=record.get("h", False))


def context(reply: JournalReply) -> int | None:
    """The context that a prompt filled, if the policy told it."""
    found: int | None = reply["full"]
    return found


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
    ledger.prm_windowed += reply.get("in", 0)
    ledger.prm_flops += math.nan if flops is None else flops
    ledger.prm_seconds += seconds
