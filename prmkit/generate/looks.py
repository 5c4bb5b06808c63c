"""The likeliest tokens behind prompts, by one forward pass over what of them is not in the tree of key-values."""

from collections.abc import Sequence
from dataclasses import dataclass

from prmkit.errors import RunError
from prmkit.generate.engine_thread import Ticket
from prmkit.generate.head import Head
from prmkit.generate.likely import Likely, NextTokens
from prmkit.generate.stops import TokenTexts
from prmkit.kv.reader import KVReader, SequenceReading
from prmkit.models.flops import ForwardFlops


@dataclass(frozen=True, slots=True)
class Look:
    """Asks for the likeliest tokens behind a prompt."""

    prompt_ids: tuple[int, ...]
    top: int


def answer_looks(
    reader: KVReader,
    head: Head,
    texts: TokenTexts,
    flops: ForwardFlops,
    tickets: Sequence[Ticket[Look, NextTokens]],
) -> None:
    """Answer who asks; where the memory does not suffice for a prompt, or the model gives NaN, who asked fails.

    Args:
        reader: reads prompts with the backbone, into its tree of key-values.
        head: the LM head.
        texts: what tokens say.
        flops: what a forward pass costs.
        tickets: who asks for what.
    """
    if not tickets:
        return
    prompts = [ticket.request.prompt_ids for ticket in tickets]
    readings = reader.read_each(prompts, [[len(ids) - 1] for ids in prompts])
    for ticket, reading in zip(tickets, readings, strict=True):
        if isinstance(reading, RunError):
            ticket.fail(reading)
        else:
            _answer(ticket, reading, head, texts, flops)
            reader.release(reading)
    reader.tree.evict()


def _answer(
    ticket: Ticket[Look, NextTokens], reading: SequenceReading, head: Head, texts: TokenTexts, flops: ForwardFlops
) -> None:
    log_V = head(reading.hidden_SE)[0].float().log_softmax(dim=0)
    best = log_V.topk(min(ticket.request.top, len(log_V)))
    if bool(best.values.isnan().any()):
        ticket.fail(RunError("the policy gave logits that are NaN; check its dtype and weights"))
        return
    found = zip(best.values.tolist(), best.indices.tolist(), strict=True)
    ticket.answer(
        NextTokens(
            tokens=tuple(Likely(texts.alone(token), value) for value, token in found),
            cached_tokens=len(ticket.request.prompt_ids) - reading.tokens,
            prefill_tokens=reading.tokens,
            flops=reading.flops(flops) + flops.of(0, read=1),
        )
    )
