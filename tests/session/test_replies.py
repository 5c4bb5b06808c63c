import math

import orjson

from prmkit.generate import Continuation, Generation
from prmkit.score import Scores
from prmkit.session import replies
from prmkit.session.growth import Written
from prmkit.session.ledger import Ledger
from tests.fakes import CharEncoder


def generation(flops: float) -> Generation:
    return Generation(
        continuations=(
            Continuation(ids=tuple(map(ord, "a\nb")), finish="eos"),
            Continuation(ids=tuple(map(ord, "c")), finish="length"),
        ),
        cached_tokens=1,
        prefill_tokens=2,
        decode_tokens=5,
        flops=flops,
    )


def test_a_draw_outlives_the_journal_also_with_unknown_flops() -> None:
    reply = replies.of_draw(generation(math.nan), CharEncoder(), capped=False, seconds=0.123456, elapsed=1.0)
    read = orjson.loads(orjson.dumps(reply))
    assert replies.written(read) == [Written(("a", "b"), "eos"), Written(("c",), "length")]
    assert replies.longest(read) == 4
    ledger = Ledger()
    replies.charge_draw(ledger, read)
    assert (ledger.continuations, ledger.cached_tokens, ledger.prefill_tokens, ledger.decode_tokens) == (2, 1, 2, 5)
    assert math.isnan(ledger.flops)
    assert ledger.generator_seconds == 0.1235


def test_what_the_budget_cut_short_was_cancelled() -> None:
    reply = replies.of_draw(generation(1.0), CharEncoder(), capped=True, seconds=0.0, elapsed=0.0)
    assert [one.finish for one in replies.written(reply)] == ["eos", "cancelled"]


def test_a_reading() -> None:
    scores = Scores(values=(0.123456789,), cached_tokens=3, tokens=4, flops=math.nan)
    read = orjson.loads(orjson.dumps(replies.of_reading(scores, seconds=0.0, elapsed=2.5)))
    assert read["s"] == [0.1234568]
    assert replies.elapsed(read) == 2.5
    ledger = Ledger()
    replies.charge_reading(ledger, read)
    assert (ledger.prm_calls, ledger.prm_cached_tokens, ledger.prm_tokens) == (1, 3, 4)
    assert math.isnan(ledger.prm_flops)
