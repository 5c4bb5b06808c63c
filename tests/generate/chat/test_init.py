import asyncio
import logging
import math
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from prmkit.errors import InputError, RunError
from prmkit.generate import Generation, Generator, GeneratorConfig, Sampling, TooLong, server
from prmkit.generate.chat import ChatGenerator, load_generator
from prmkit.generate.chat.continuing import Manner
from prmkit.generate.chat.text import ChatPrompt, Turn
from prmkit.generate.config import ChatEngine
from prmkit.generate.format import PolicyFormat
from prmkit.run.seeds import derived_seed
from prmkit.session import Engines, Session
from prmkit.tree import ROOT, Problem, StepTree
from tests.contracts.generator import GeneratorContract
from tests.fake_chat import FakeChat, by_lot, rendered
from tests.fakes import LastStepGrader, at

PROMPT = ChatPrompt((Turn("user", "two and two?"),))
SHORT = {"steps": {"name": "thoughts", "options": {"length": 1}}}
LINES = PolicyFormat.model_validate({"step_end": "\n", "thoughts": SHORT})
THOUGHT = "<think>2 and 2.\n\nThat is 4.</think>We add.\nIt is 4."


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_FIRST_PAUSE", 0.01)


def load(fake: FakeChat, *, format: PolicyFormat | None = None, name: str = "m", likely: int = 0, **engine: Any) -> Any:
    """(generator, text) as a recipe gets them."""
    config = GeneratorConfig(
        name=name,
        format=format or LINES,
        engine=ChatEngine(**{"name": "chat", "url": fake.url} | engine),
    )
    return load_generator(config, likely=likely)


def write(engine: ChatGenerator, n: int = 1, *, prompt: ChatPrompt = PROMPT, **asked: Any) -> Generation:
    sampling = Sampling(**{"max_tokens": 200} | asked.pop("sampling", {}))
    return asyncio.run(engine.generate(prompt, n, sampling=sampling, seed=5, **asked))


def texts(generation: Generation) -> list[str]:
    return [one.text for one in generation.continuations]  # type: ignore[attr-defined]


def session(fake: FakeChat, tree: StepTree | None = None, **options: Any) -> Session:
    generator, text = load(fake, **options)
    engines = Engines(
        generator=generator,
        text=text,
        sampling=Sampling(max_tokens=200),
        seed=3,
        grader_for=lambda domain, grading: LastStepGrader(),
    )
    return Session(StepTree(Problem(id="p", prompt="two and two?", answer="4")) if tree is None else tree, engines)


class ChatContract(GeneratorContract):
    """What of the contract of generators holds for texts: all but what is said of ids and of prompts in ids."""

    prompt: Any = PROMPT
    tells_context = False

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(chr, ids))

    def test_n_continuations_come_back_each_with_its_reason(self, engine: Generator) -> None:
        continuations = self.write(engine, 6).continuations
        assert len(continuations) == 6
        for one in continuations:
            assert one.finish in ("eos", "length")
            assert (one.finish == "length") == (one.tokens == self.sampling.max_tokens)

    def test_tokens_are_counted(self, engine: Generator) -> None:
        generation = self.write(engine, 5)
        assert generation.cached_tokens + generation.prefill_tokens == 5 * len(rendered([PROMPT.turns[0]._asdict()]))
        ends = sum(one.finish == "eos" for one in generation.continuations)
        assert generation.decode_tokens == ends + sum(one.tokens for one in generation.continuations)
        assert math.isnan(generation.flops)

    def test_a_stop_string_ends_a_continuation_with_the_token_that_completed_it(self, engine: Generator) -> None:
        def ask(stop: str | None) -> Any:
            work = engine.generate(self.prompt, 1, sampling=self.greedy, seed=1, stop=at(stop))
            return self.run(work).continuations[0]

        free = ask(None).text
        stop = free[2:6]
        stopped = ask(stop)
        assert (stopped.text, stopped.finish) == (free[: free.index(stop) + 4], "stop")

    test_an_empty_prompt_is_refused = None  # type: ignore[assignment]
    test_a_prompt_that_fills_the_context_is_refused_and_harms_no_other = None  # type: ignore[assignment]


class TestAChat(ChatContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Iterator[Generator]:
        with FakeChat() as fake:
            yield load(fake)[0]


class TestAChatOnVllm(ChatContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Iterator[Generator]:
        with FakeChat(owner="vllm") as fake:
            yield load(fake)[0]


def test_the_answer_is_that_of_the_model_and_the_turns_are_what_it_is_asked() -> None:
    with FakeChat() as fake:
        engine, text = load(fake, format=PolicyFormat(system="Be brief."))
        context = text.begin(Problem(id="p", prompt="two and two?"))
        assert texts(write(engine, prompt=context.prompt)) == [by_lot("two and two?", derived_seed(5, 0))]
        assert fake.asked[0] == {
            "model": "m",
            "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "two and two?"}],
            "max_tokens": 200,
            "temperature": 1.0,
            "top_p": 1.0,
            "seed": derived_seed(5, 0),
            "stream": True,
            "stream_options": {"include_usage": True},
        }


def test_the_model_is_named_by_the_engine_or_the_generator_and_must_be_one_of_the_servers() -> None:
    with FakeChat(models=("a", "b")) as fake:
        write(load(fake, name="a")[0])
        write(load(fake, name="local", model="b")[0])
        assert [body["model"] for body in fake.asked] == ["a", "b"]
        with pytest.raises(InputError, match=r"does not serve this model, got 'c'; expected one of a, b"):
            load(fake, name="c")


def test_a_server_need_not_list_its_models_and_may_stand_anywhere() -> None:
    with FakeChat(lists=False) as fake:
        assert texts(write(load(fake, name="any")[0])) == texts(write(load(fake, api="/v4", name="any")[0]))
        assert [body["model"] for body in fake.asked] == ["any", "any"]


def test_options_and_template_arguments_go_into_each_request() -> None:
    with FakeChat() as fake:
        format = PolicyFormat(step_end="\n", template_arguments={"enable_thinking": False})
        write(load(fake, format=format, options={"reasoning_effort": "low"})[0])
        assert fake.asked[0]["chat_template_kwargs"] == {"enable_thinking": False}
        assert fake.asked[0]["reasoning_effort"] == "low"


@pytest.mark.parametrize("field", ["reasoning", "reasoning_content", "list", None])
def test_thoughts_come_into_the_text_whatever_field_they_are_in(field: str | None) -> None:
    with FakeChat(lambda question, seed: THOUGHT, thoughts=field) as fake:
        engine, text = load(fake)
        context = text.begin(Problem(id="p", prompt="two and two?"))
        (one,) = write(engine, prompt=context.prompt).continuations
        assert one.text == THOUGHT  # type: ignore[attr-defined]
        steps, behind = text.steps(context, one)
    assert [(step.text, step.thought) for step in steps] == [
        ("2 and 2.", True),
        ("That is 4.", True),
        ("We add.", False),
        ("It is 4.", False),
    ]
    assert "".join(step.raw or "" for step in steps) == THOUGHT
    assert text.answer(context, one) == "We add.\nIt is 4."
    assert not behind.thinking


def test_a_policy_of_family_none_is_read_without_its_thoughts() -> None:
    format = PolicyFormat.model_validate({"step_end": "\n", "thoughts": {"family": "none"}})
    with FakeChat(lambda question, seed: THOUGHT, thoughts="reasoning") as fake:
        assert texts(write(load(fake, format=format)[0])) == ["We add.\nIt is 4."]


def test_an_answer_that_ends_within_its_thought_is_no_answer() -> None:
    with FakeChat(lambda question, seed: THOUGHT, thoughts="reasoning") as fake:
        one = session(fake)
        (leaf,) = asyncio.run(one.complete(ROOT, 1))
        assert one.tree.nodes[leaf].finish == "eos"
        assert one.tree.solution(leaf) == "We add.\nIt is 4."
    with FakeChat(lambda question, seed: "<think>2 and 2, hm", thoughts="reasoning") as fake:
        other = session(fake)
        (leaf,) = asyncio.run(other.complete(ROOT, 1))
        assert other.tree.nodes[leaf].finish == "length"


@pytest.mark.parametrize(
    ("reason", "finish"),
    [("length", "length"), ("content_filter", "length"), ("tool_calls", "length"), ("stop", "eos")],
)
def test_why_an_answer_ended(reason: str, finish: str, caplog: pytest.LogCaptureFixture) -> None:
    with FakeChat(finish=reason) as fake, caplog.at_level(logging.WARNING):
        assert write(load(fake)[0]).continuations[0].finish == finish
    assert ("counts as cut short" in caplog.text) == (reason in ("content_filter", "tool_calls"))


def test_a_server_that_ends_for_reasons_of_its_own_is_asked_again() -> None:
    with FakeChat(finish="insufficient_system_resource") as fake:
        with pytest.raises(RunError, match=r"in 3 tries \(an answer that ended for another reason"):
            write(load(fake, retries=2)[0])
        assert len(fake.asked) == 3


@pytest.mark.parametrize("fault", [429, 503, "drop", "half", b"data: [DONE]\n\n", b"data: no json\n\n"])
def test_a_busy_or_broken_server_is_asked_again(fault: int | bytes | str) -> None:
    with FakeChat() as fake:
        engine = load(fake)[0]
        good = write(engine)
        fake.faults = [fault, b'data: {"error": {"message": "overloaded"}}\n\n', fault]
        assert write(engine).continuations == good.continuations
        assert not fake.faults


def test_a_cancelled_request_is_dropped_by_the_server() -> None:
    with FakeChat() as fake:
        engine = load(fake)[0]
        fake.pause = 30.0

        async def cancel() -> None:
            task = asyncio.create_task(engine.generate(PROMPT, 1, sampling=Sampling(), seed=1))
            while not fake.asked:
                await asyncio.sleep(0.01)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(cancel())
        assert fake.dropped.wait(5)


def test_keys_that_a_server_refuses_are_renamed_or_left_out_once_and_it_is_said(
    caplog: pytest.LogCaptureFixture,
) -> None:
    refuses = {
        "max_tokens": "Unsupported parameter: 'max_tokens' is not supported. Use 'max_completion_tokens' instead.",
        "temperature": "Unsupported value: 'temperature' does not support 0.7. Only the default (1) is supported.",
        "top_p": "Unsupported parameter: 'top_p'",
        "random_seed": "Unrecognized request argument supplied: random_seed",
        "seed": "Unsupported parameter: 'seed'",
    }
    with FakeChat(refuses=refuses) as fake, caplog.at_level(logging.WARNING):
        engine = load(fake)[0]
        assert len(write(engine, 4).continuations) == 4
        tries = len(fake.asked)
        write(engine, 4)
        assert len(fake.asked) == tries + 4
        assert {*fake.asked[-1]} == {"model", "messages", "max_completion_tokens", "stream", "stream_options"}
    changes = sorted(record.getMessage().rpartition(". ")[2] for record in caplog.records)
    assert changes == [
        "max_tokens is called max_completion_tokens from now on",
        "random_seed is left out from now on",
        "seed is called random_seed from now on",
        "temperature is left out from now on",
        "top_p is left out from now on",
    ]


def test_a_refusal_that_no_other_words_mend_is_told() -> None:
    refuses = dict.fromkeys(("max_tokens", "max_completion_tokens"), "max_tokens is too large")
    with FakeChat(refuses=refuses) as fake:
        with pytest.raises(InputError, match=r"refuses the request \(status 400: max_tokens is too large\)"):
            write(load(fake)[0])
        assert len(fake.asked) == 2


def test_tokens_are_the_servers_and_else_estimated() -> None:
    with FakeChat(lambda question, seed: "It is 4.") as fake:
        engine = load(fake)[0]
        found = write(engine)
        assert (found.prefill_tokens, found.decode_tokens) == (len(rendered([PROMPT.turns[0]._asdict()])), 9)
        fake.counts = False
        found = write(engine)
        assert (found.prefill_tokens, found.decode_tokens) == (4, 3 + 1)  # 12 and 8 bytes, three to a token
        assert found.continuations[0].tokens == 3


def steps(fake: FakeChat, n: int, **options: Any) -> list[str]:
    """The first steps of a solution, drawn one by one, as they were written."""
    one = session(fake, **options)

    async def draw() -> int:
        node = ROOT
        for _ in range(n):
            (node,) = await one.expand(node, 1)
        return node

    leaf = asyncio.run(draw())
    return [
        step.raw or step.text + one.tree.meta["step_end"]
        for step in map(one.tree.nodes.__getitem__, one.tree.path(leaf))
    ]


@pytest.mark.parametrize(
    "options",
    [
        {"owner": "sglang"},
        {"owner": "deepseek", "thoughts": "reasoning_content"},
        {"owner": "mistralai", "echoes": True},
        {"owner": "somebody", "trims": True},
        {"owner": "vllm"},
        {"owner": "vllm", "tokenizes": False},
    ],
)
def test_steps_are_drawn_one_by_one_where_a_server_goes_on(options: dict[str, Any]) -> None:
    written = "<think>2 and 2.\n\nThat is 4.</think>We add.\n\nIt is 4."
    format = LINES.model_copy(update={"step_end": "\n\n"})
    with FakeChat(lambda question, seed: written, **options) as fake:
        assert steps(fake, 4, format=format) == ["<think>2 and 2.\n\n", "That is 4.</think>", "We add.\n\n", "It is 4."]
        last = fake.asked[-1]
    if options["owner"] == "vllm" and options.get("tokenizes", True):
        assert "".join(map(chr, last["prompt"])) == rendered([PROMPT.turns[0]._asdict()]) + written[:-8]
    elif "thoughts" in options:
        assert last["messages"][-1] == {
            "role": "assistant",
            "content": "We add.\n\n",
            "reasoning_content": "2 and 2.\n\nThat is 4.",
            "prefix": True,
        }
    else:
        assert last["messages"][-1]["content"] == written[:-8]
        prefixed = options["owner"] in ("deepseek", "mistralai")
        assert last["messages"][-1].get("prefix", False) == prefixed
        assert last.get("continue_final_message", False) == (not prefixed)
        assert last.get("add_generation_prompt", True) == prefixed


def test_a_server_is_tried_once_however_many_ask() -> None:
    with FakeChat(lambda question, seed: "a\nb\nc\nd") as fake:
        one = session(fake)

        async def draw() -> None:
            await asyncio.gather(one.expand(ROOT, 2), one.expand(ROOT, 2))

        asyncio.run(draw())
        assert sum("K7QX" in str(body["messages"]) for body in fake.asked) == 3


def test_a_step_ends_the_request() -> None:
    with FakeChat(lambda question, seed: "We add.\n" + "so " * 200) as fake:
        one = session(fake)
        (node,) = asyncio.run(one.expand(ROOT, 1))
        assert (one.tree.nodes[node].text, one.tree.nodes[node].finish) == ("We add.", "stop")


@pytest.mark.parametrize(
    ("options", "engine", "reason"),
    [
        ({"continues": False}, {}, r"it was to go on with 'As you wish, .*', and wrote 'Of course"),
        ({"refuses": {"continue_final_message": "Unrecognized: continue_final_message"}}, {}, "Unrecognized"),
        ({}, {"continues": "none"}, r"engine\.continues: single steps need a server .*got 'none'.*best-of-n"),
    ],
)
def test_single_steps_are_refused_where_a_server_does_not_go_on(
    options: dict[str, Any], engine: dict[str, Any], reason: str
) -> None:
    with FakeChat(lambda question, seed: "Of course: 4", **options) as fake:
        one = session(fake, **engine)
        with pytest.raises(InputError, match=reason):
            asyncio.run(one.expand(ROOT, 1))
        (leaf,) = asyncio.run(one.complete(ROOT, 1))
        assert one.tree.solution(leaf) == "Of course: 4"


def test_whole_solutions_that_go_on_from_a_step_need_it_too() -> None:
    given = StepTree.from_steps(Problem(id="p", prompt="two and two?"), ["We add."])
    with FakeChat(lambda question, seed: "We add.\nIt is 4.") as fake:
        one = session(fake, given)
        (leaf,) = asyncio.run(one.complete(0, 1))
        assert one.tree.steps(leaf) == ["We add.", "It is 4."]
    with FakeChat(by_lot, continues=False) as fake, pytest.raises(InputError, match="does not go on"):
        asyncio.run(session(fake, given).complete(0, 1))


def test_the_likeliest_tokens_come_with_an_answer_that_is_asked_for_them() -> None:
    for owner in ("somebody", "vllm"):
        with FakeChat(lambda question, seed: "ab", owner=owner) as fake:
            (one,) = write(load(fake, likely=2)[0]).continuations
            places = one.likely  # type: ignore[attr-defined]
            assert [(text, [tuple(other) for other in others]) for text, others in places] == [
                (letter, [(letter, -0.25), ("X", -1.5)]) for letter in "ab"
            ]
            (one,) = write(load(fake)[0]).continuations
            assert one.likely == ()  # type: ignore[attr-defined]


WORDS = (
    "'max_tokens' is too large: {asked}. This model's maximum context length is {context} tokens and your request has "
    "{prompt} input tokens."
)


@pytest.mark.parametrize("owner", ["somebody", "vllm"])
@pytest.mark.parametrize("tells_context", [True, False])
def test_near_the_end_of_the_context_fewer_tokens_are_asked_for(
    owner: str, tells_context: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with FakeChat(
        lambda question, seed: "We add.\nIt is 4.\n", owner=owner, context=45, words=WORDS, tells_context=tells_context
    ) as fake:
        cut = write(load(fake)[0])
    # The turns are 32 tokens.
    assert [(one.text, one.finish) for one in cut.continuations] == [("We add.\nIt is", "length")]  # type: ignore[attr-defined]
    assert not caplog.records  # the words name a key, which is none that the server does not know


@pytest.mark.parametrize("owner", ["somebody", "vllm"])
def test_what_fills_the_context_is_cut_or_the_problems_own_failure(owner: str) -> None:
    script = "We add.\nIt is 4.\n"
    # Behind the turns there is room for the first line alone, which has eight tokens.
    with FakeChat(lambda question, seed: script, owner=owner, context=40, words=WORDS) as fake:
        one = session(fake)
        one._requests._engines.generator._manner = Manner()  # type: ignore[attr-defined]  # its probe is longer
        (first,) = asyncio.run(one.expand(ROOT, 1))
        assert one.tree.nodes[first].finish == "stop"
        assert asyncio.run(one.complete_each([(first, 2)])) == [[first, first]]
        assert one.tree.nodes[first].finish == "length"
        problem = Problem(id="long", prompt="two and two? " * 3, answer="4")
        long = session(fake, StepTree(problem))
        with pytest.raises(TooLong, match="long: the problem fills the policy's context"):
            asyncio.run(long.complete(ROOT, 1))
