"""Thoughts and their budgets, with a policy that writes a token a character and does what it is told."""

import asyncio
from collections.abc import Callable

import pytest

from prmkit.generate import Continuation, Sampling, TooLong
from prmkit.generate.drawing import Drawing, draw
from prmkit.generate.format import PolicyFormat, ThoughtFormat
from prmkit.segment.config import SegmenterConfig
from prmkit.tree import Problem
from tests.fakes import NarrowPolicy, Typewriter, char_text

ASKED = "7?\n"
THOUGHT, ANSWER = "<think>\nabc\n\ndef\n</think>\n\n", "The answer.\n\nSeven."


def thinking(**budget: object):  # type: ignore[no-untyped-def]
    separator = SegmenterConfig(name="separator")
    thoughts = ThoughtFormat(open="<think>", close="</think>", steps=separator, **budget)
    return char_text(PolicyFormat(template="plain", step_end="\n\n", thoughts=thoughts))


def steadfast(text: str) -> str:
    """Goes on with its solution, wherever it was cut; after a thought that others closed it answers."""
    written = text.removeprefix(ASKED)
    whole = THOUGHT + ANSWER
    if whole.startswith(written):
        return whole[len(written) :]
    return ANSWER.removeprefix(written.rpartition("</think>\n\n")[2])


def wavering(text: str) -> str:
    """Closes its thought at once, and again behind every "Wait"."""
    written = text.removeprefix(ASKED)
    if "</think>" in written:
        behind = "\n\n" + ANSWER
        return behind.removeprefix(written.partition("</think>")[2])
    return "<think>\nab</think>\n\n" + ANSWER if not written else " xy</think>\n\n" + ANSWER


def drawn(
    rest: Callable[[str], str], *, whole: bool, max_tokens: int = 200, n: int = 1, **budget: object
) -> tuple[Drawing, Typewriter]:
    text, policy = thinking(**budget), Typewriter(rest)
    context = text.begin(Problem(id="p", prompt="7?"))
    sampling = Sampling(max_tokens=max_tokens)
    return asyncio.run(draw(policy, text, context, n, sampling=sampling, seed=0, whole=whole)), policy


def told(drawing: Drawing) -> list[tuple[str, bool]]:
    return [(step.text, step.thought) for step in drawing.written[0].steps]


def test_without_a_budget_a_solution_is_one_request() -> None:
    drawing, policy = drawn(steadfast, whole=True, n=3)
    assert told(drawing) == [("abc", True), ("def", True), ("The answer.", False), ("Seven.", False)]
    assert len(policy.requests) == 1
    assert len(drawing.written) == 3
    assert drawing.longest == len(THOUGHT + ANSWER) + 1


def test_a_budget_that_is_not_reached_changes_nothing() -> None:
    free, _ = drawn(steadfast, whole=True)
    drawing, policy = drawn(steadfast, whole=True, min_tokens=5)
    assert drawing.written == free.written
    # The thought to its end, and then the answer.
    assert [prompt for prompt, _ in policy.requests] == [ASKED, ASKED + "<think>\nabc\n\ndef\n</think>"]
    assert drawing.longest == free.longest


def test_a_thought_that_is_too_long_is_closed_by_force_and_the_policy_answers() -> None:
    text, policy = thinking(max_tokens=10), Typewriter(steadfast)
    context = text.begin(Problem(id="p", prompt="7?"))
    drawing = asyncio.run(draw(policy, text, context, 1, sampling=Sampling(max_tokens=200), seed=0, whole=True))
    # "<think>\nab" are ten tokens.
    assert [prompt for prompt, _ in policy.requests] == [ASKED, ASKED + "<think>\nab\n</think>\n\n"]
    assert told(drawing) == [("ab", True), ("The answer.", False), ("Seven.", False)]
    assert drawing.written[0].finish == "eos"
    # What was put in by force was read, not drawn.
    assert drawing.cost.decode_tokens == 10 + len(ANSWER) + 1
    assert drawing.longest == 10 + len("\n</think>\n\n" + ANSWER) + 1


def test_a_thought_that_closes_too_early_goes_on_behind_wait() -> None:
    drawing, policy = drawn(wavering, whole=True, min_tokens=18)
    # "<think>\nab" is 10, with "Wait xy" 17, with another "Wait xy" 24.
    assert told(drawing) == [("abWait xyWait xy", True), ("The answer.", False), ("Seven.", False)]
    assert policy.requests[1][0] == ASKED + "<think>\nabWait"
    assert drawing.written[0].finish == "eos"


@pytest.mark.parametrize(
    ("rest", "budget"),
    [
        (steadfast, {}),
        (steadfast, {"max_tokens": 10}),
        (steadfast, {"max_tokens": 15}),
        (steadfast, {"min_tokens": 10}),
        (wavering, {"min_tokens": 18}),
    ],
)
def test_step_by_step_the_policy_reads_the_same_as_in_one_go(
    rest: Callable[[str], str], budget: dict[str, int]
) -> None:
    text, policy = thinking(**budget), Typewriter(rest)
    begun = text.begin(Problem(id="p", prompt="7?"))
    sampling = Sampling(max_tokens=200)

    async def one_by_one() -> str:
        context, raw = begun, ""
        for _ in range(20):
            drawing = await draw(policy, text, context, 1, sampling=sampling, seed=0, whole=False)
            for step in drawing.written[0].steps:
                raw += "".join(map(chr, step.ids or ()))
                context = text._written(context, "".join(map(chr, step.ids or ())), step.ids or ())[1]
            if drawing.written[0].finish != "stop":
                return raw
        raise AssertionError("it never ended")

    whole = asyncio.run(draw(policy, text, begun, 1, sampling=sampling, seed=0, whole=True))
    written = "".join(chr(token) for step in whole.written[0].steps for token in step.ids or ())
    assert asyncio.run(one_by_one()) == written


def test_an_end_within_a_thought_is_no_answer() -> None:
    drawing, _ = drawn(lambda text: "<think>\nabc", whole=True)
    assert (drawing.written[0].finish, told(drawing)) == ("length", [("abc", True)])


def test_an_end_within_a_thought_that_may_not_end_yet_is_a_closing_too() -> None:
    def ends(text: str) -> str:
        if text.endswith("Wait"):
            return "</think>\n\nSeven."
        return "\n\nSeven." if text.endswith("</think>") else "<think>\nabc"

    drawing, _ = drawn(ends, whole=True, min_tokens=12)
    assert (drawing.written[0].finish, told(drawing)) == ("eos", [("abcWait", True), ("Seven.", False)])


def test_a_policy_that_never_stops_thinking_ends_at_the_limit_of_a_solution() -> None:
    drawing, _ = drawn(lambda text: "<think>" + "x" * 500, whole=True, max_tokens=50)
    assert drawing.written[0].finish == "length"
    assert drawing.longest == 50


def test_where_no_room_is_left_for_a_closing_and_an_answer_the_solution_is_cut_and_nothing_is_drawn() -> None:
    text, policy = thinking(max_tokens=5), Typewriter(steadfast)
    begun = text.begin(Problem(id="p", prompt="7?"))
    (step,), behind = text.steps(begun, Continuation(ids=tuple(map(ord, "<think>\nabc\n\n")), finish="stop"))
    assert (step.thought, behind.thought) == (True, 13)
    closing = len("\n</think>\n\n")
    for whole in (True, False):
        cut = asyncio.run(draw(policy, text, behind, 2, sampling=Sampling(max_tokens=closing), seed=0, whole=whole))
        assert [(one.steps, one.finish) for one in cut.written] == [((), "length")] * 2
        assert (cut.cost.decode_tokens, policy.requests) == (0, [])


def test_samples_meet_the_budget_each_on_its_own() -> None:
    drawing, policy = drawn(steadfast, whole=True, n=3, min_tokens=5)
    assert len(policy.requests) == 6
    assert drawing.cost.decode_tokens == 3 * (len(THOUGHT + ANSWER) + 1)


@pytest.mark.parametrize("context", [17, 22])  # no room for the closing, which has 11 tokens; none behind it
def test_a_thought_that_the_context_leaves_no_room_to_close_is_cut(context: int) -> None:
    text, policy = thinking(max_tokens=8), NarrowPolicy(context, steadfast, told=False)
    asked = text.begin(Problem(id="p", prompt="7?"))
    drawing = asyncio.run(draw(policy, text, asked, 2, sampling=Sampling(max_tokens=200), seed=0, whole=True))
    assert [one.finish for one in drawing.cost.continuations] == ["length", "length"]
    assert ["".join(map(chr, one.ids)) for one in drawing.cost.continuations] == ["<think>\n"] * 2
    with pytest.raises(TooLong):  # of the problem itself
        asyncio.run(
            draw(NarrowPolicy(3, told=False), text, asked, 1, sampling=Sampling(max_tokens=9), seed=0, whole=True)
        )
