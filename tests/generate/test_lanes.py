import asyncio
from collections.abc import Iterator

import pytest

from prmkit.generate import Generation, Sampling
from prmkit.generate.engine_thread import Ticket
from prmkit.generate.lanes import Lane
from prmkit.generate.request import ActiveRequest, PromptRequest
from prmkit.generate.stops import StepEnds
from tests.fakes import at
from tests.tiny import tiny_tokenizer

PROMPT = (4, 5, 6)
EOS = frozenset({1})


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def request(loop: asyncio.AbstractEventLoop, n: int, *, tokens: int = 9, stop: str | None = None) -> ActiveRequest:
    asked = PromptRequest(PROMPT, n, Sampling(max_tokens=tokens, temperature=0.5), 7, at(stop))
    ticket: Ticket[PromptRequest, Generation] = Ticket(asked, loop.create_future())
    return ActiveRequest(ticket, context=100)


def test_rows_part_by_their_tokens_and_each_request_ends_its_own(loop: asyncio.AbstractEventLoop) -> None:
    ends = StepEnds(tiny_tokenizer())
    word = tiny_tokenizer().convert_tokens_to_ids
    free, stopped, short = request(loop, 3), request(loop, 2, stop="b"), request(loop, 1, tokens=2)
    lane = Lane(PROMPT, [*free.rows, *stopped.rows, *short.rows])
    assert (lane.past, lane.last, lane.ids) == (2, 6, PROMPT)
    assert len({row.draws.key for row in lane.rows}) == 3  # one seed and one sample are one stream

    (lane,) = lane.take([word("a")] * 6, EOS, ends)
    assert (lane.past, lane.last, lane.drawn) == (3, word("a"), (word("a"),))

    b, c = word("b"), word("c")
    first, second = lane.take([b, c, 1, b, c, c], EOS, ends)
    # After a b only the request without a stop string goes on; after a c all but the one of two tokens.
    assert (first.rows, first.drawn) == ([free.rows[0]], (word("a"), b))
    assert (second.rows, second.drawn) == ([free.rows[1], stopped.rows[1]], (word("a"), c))
    ended = [free.rows[2], stopped.rows[0], short.rows[0]]
    assert [row.finish for row in ended] == ["eos", "stop", "length"]
    assert [row.ids for row in ended] == [(word("a"),), (word("a"), b), (word("a"), c)]
    assert [row.drawn for row in ended] == [2, 2, 2]


def test_rows_for_which_nobody_waits_are_dropped(loop: asyncio.AbstractEventLoop) -> None:
    kept, dropped = request(loop, 1), request(loop, 2)
    lane = Lane(PROMPT, [*dropped.rows, *kept.rows])
    dropped.ticket._future.cancel()
    assert lane.wanted()
    assert lane.rows == kept.rows
    kept.ticket._future.cancel()
    assert not lane.wanted()
