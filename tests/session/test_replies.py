import math

import orjson

from prmkit.generate import Continuation, Generation
from prmkit.generate.drawing import Drawing
from prmkit.generate.written import Written, WrittenStep
from prmkit.score import Scores
from prmkit.session import replies
from prmkit.session.ledger import Ledger


def drawing(flops: float) -> Drawing:
    first, second = WrittenStep(text="a", thought=True, raw=" a\n", ids=[5, 6]), WrittenStep(text="b", ids=[7])
    cost = Generation(
        continuations=(Continuation(ids=(5, 6, 7), finish="eos"), Continuation(ids=(8,), finish="length")),
        cached_tokens=1,
        prefill_tokens=2,
        decode_tokens=5,
        flops=flops,
    )
    told = WrittenStep(text="c", raw="c")
    return Drawing((Written((first, second), "eos"), Written((told,), "length")), cost, longest=4)


def test_a_draw_outlives_the_journal_also_with_unknown_flops() -> None:
    reply = replies.of_draw(drawing(math.nan), capped=False, seconds=0.123456, elapsed=1.0)
    read = orjson.loads(orjson.dumps(reply))
    assert replies.written(read) == list(drawing(math.nan).written)
    assert replies.longest(read) == 4
    ledger = Ledger()
    replies.charge_draw(ledger, read)
    assert (ledger.continuations, ledger.cached_tokens, ledger.prefill_tokens, ledger.decode_tokens) == (2, 1, 2, 5)
    assert math.isnan(ledger.flops)
    assert ledger.generator_seconds == 0.1235


def test_what_the_budget_cut_short_was_cancelled() -> None:
    reply = replies.of_draw(drawing(1.0), capped=True, seconds=0.0, elapsed=0.0)
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


def test_a_reading_says_how_many_steps_were_read_in_a_window_where_any_was() -> None:
    ledger = Ledger()
    for windowed, keys in ((0, {"s", "c"}), (2, {"s", "c", "in"})):
        scores = Scores(values=(0.5, 0.5), cached_tokens=0, tokens=4, flops=0.0, windowed=windowed)
        read = orjson.loads(orjson.dumps(replies.of_reading(scores, seconds=0.0, elapsed=1.0)))
        assert read.keys() == keys  # without one, as earlier versions wrote it
        replies.charge_reading(ledger, read)
    assert (ledger.prm_windowed, ledger.prm_calls, ledger.prm_tokens) == (2, 2, 8)
