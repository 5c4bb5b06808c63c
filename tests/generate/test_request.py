"""Costs by hand: 100 operations a token, 1 for a token and one that it attends to, 1000 a position that is read."""

import asyncio
from collections.abc import Iterator

import pytest

from prmkit.generate import Continuation, Generation, Sampling
from prmkit.generate.engine_thread import Ticket
from prmkit.generate.request import ActiveRequest, PromptRequest
from prmkit.generate.stops import StepEnds
from prmkit.models.flops import ForwardFlops
from prmkit.tree import Finish
from tests.fakes import at
from tests.tiny import tiny_tokenizer

PROMPT = (4, 5, 6)
FLOPS = ForwardFlops(per_token=100.0, per_pair=1.0, per_read=1000.0)
TOKENS = tiny_tokenizer()


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


def request(
    loop: asyncio.AbstractEventLoop, n: int = 1, *, tokens: int = 9, stop: str | None = None, context: int = 100
) -> ActiveRequest:
    ticket: Ticket[PromptRequest, Generation] = Ticket(
        PromptRequest(PROMPT, n, Sampling(max_tokens=tokens), 7, at(stop)), loop.create_future()
    )
    return ActiveRequest(ticket, context)


def answer(asked: ActiveRequest) -> Generation | None:
    """What the caller gets, if it is time."""
    asked.answer_if_done(FLOPS)
    asked.ticket.deliver()
    future = asked.ticket._future
    return future.result() if future.done() else None


def end(asked: ActiveRequest, *rows: tuple[tuple[int, ...], Finish]) -> None:
    for row, (ids, finish) in zip(asked.rows, rows, strict=False):
        row.ids, row.finish = ids, finish


@pytest.mark.parametrize(("tokens", "context", "limit"), [(9, 100, 9), (9, 12, 9), (9, 11, 8), (9, 4, 1), (1, 100, 1)])
def test_a_row_may_grow_to_what_was_asked_and_what_the_context_leaves(
    loop: asyncio.AbstractEventLoop, tokens: int, context: int, limit: int
) -> None:
    asked = request(loop, tokens=tokens, context=context)
    assert (asked.limit, asked.longest) == (limit, 3 + limit)
    ends = StepEnds(TOKENS)
    assert asked.finish((7,) * limit, ends) == "length"
    assert asked.finish((7,) * (limit - 1), ends) is None


def test_a_stop_string_comes_before_the_limit(loop: asyncio.AbstractEventLoop) -> None:
    a, b, end = (TOKENS.convert_tokens_to_ids(word) for word in ("a", "b", "\n"))
    ends, asked = StepEnds(TOKENS), request(loop, tokens=3, stop="\n")
    assert asked.finish((a, b), ends) is None
    assert asked.finish((a, end), ends) == "stop"
    assert asked.finish((a, b, end), ends) == "stop"
    assert asked.finish((a, b, a), ends) == "length"
    assert request(loop, tokens=3).finish((a, end), ends) is None  # who asked for no stop string is not stopped


def test_samples_have_streams_of_their_own(loop: asyncio.AbstractEventLoop) -> None:
    rows, again = request(loop, 5).rows, request(loop, 3).rows
    assert len({row.draws.key for row in rows}) == 5
    # More samples begin with the same ones.
    assert [row.draws for row in again] == [row.draws for row in rows[:3]]


def test_it_is_answered_once_every_row_has_ended_and_no_sooner(loop: asyncio.AbstractEventLoop) -> None:
    asked = request(loop, 2)
    assert answer(asked) is None
    end(asked, ((7,), "eos"))
    assert answer(asked) is None
    assert not asked.over
    end(asked, ((7,), "eos"), ((8, 9), "length"))
    found = answer(asked)
    assert asked.over
    assert found is not None
    assert found.continuations == (Continuation(ids=(7,), finish="eos"), Continuation(ids=(8, 9), finish="length"))


def test_a_request_that_nobody_waits_for_is_over(loop: asyncio.AbstractEventLoop) -> None:
    asked = request(loop)
    asked.ticket._future.cancel()
    assert asked.over


def test_tokens_are_counted_with_the_ends_of_sequences(loop: asyncio.AbstractEventLoop) -> None:
    asked = request(loop, 3)
    asked.cached = 1
    asked.spans = [(2, 1), (1, 1)]  # its last token, and one before it that was not in the cache
    end(asked, ((7, 8), "eos"), ((), "eos"), ((7, 8, 9), "length"))
    found = answer(asked)
    assert found is not None
    assert (found.cached_tokens, found.prefill_tokens, found.decode_tokens) == (1, 2, 3 + 1 + 3)


def flops(asked: ActiveRequest) -> float:
    found = answer(asked)
    assert found is not None
    return found.flops


def test_a_row_costs_its_prompt_and_what_it_drew_but_for_the_last_token(loop: asyncio.AbstractEventLoop) -> None:
    prompt = 100 + 3 + 1000  # the last token attends to two before and to itself; the others were in the cache
    asked = request(loop)
    end(asked, ((7, 8), "length"))
    assert flops(asked) == prompt + (100 + 4 + 1000)  # 7 attends to 4 tokens; 8 was drawn last and never computed
    asked = request(loop)
    end(asked, ((7, 8), "eos"))
    assert flops(asked) == prompt + (100 + 4 + 1000) + (100 + 5 + 1000)  # the end was drawn after 8
    asked = request(loop)
    end(asked, ((), "eos"))
    assert flops(asked) == prompt


def test_a_prompt_that_was_in_no_cache_costs_all_its_tokens(loop: asyncio.AbstractEventLoop) -> None:
    asked = request(loop)
    asked.spans = [(2, 1), (0, 2)]
    end(asked, ((), "eos"))
    assert flops(asked) == 3 * 100 + (1 + 2 + 3) + 1000  # and only its last token is read


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_what_rows_have_in_common_is_paid_once_whatever_their_order(
    loop: asyncio.AbstractEventLoop, order: tuple[int, ...]
) -> None:
    rows: list[tuple[tuple[int, ...], Finish]] = [((7, 8, 1), "length"), ((7, 9, 1), "length"), ((7, 8), "eos")]
    asked = request(loop, 3)
    end(asked, *(rows[index] for index in order))
    computed = (100 + 4 + 1000) + 2 * (100 + 5 + 1000)  # 7, and after it 8 and 9
    assert flops(asked) == (100 + 3 + 1000) + computed


def test_rows_that_are_equal_cost_as_one(loop: asyncio.AbstractEventLoop) -> None:
    one, many = request(loop), request(loop, 8)
    end(one, ((7, 8), "eos"))
    end(many, *[((7, 8), "eos")] * 8)  # type: ignore[list-item]
    assert flops(one) == flops(many)


def test_a_second_look_computes_the_whole_text_again(loop: asyncio.AbstractEventLoop) -> None:
    plain, looked = request(loop), request(loop)
    looked.second_looks.append(4)
    for asked in (plain, looked):
        end(asked, ((7,), "length"))
    assert flops(looked) - flops(plain) == 4 * 100 + (1 + 2 + 3 + 4) + 1000
