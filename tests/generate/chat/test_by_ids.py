import asyncio
import re
from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError, RunError
from prmkit.generate import Generation, GeneratorConfig, Sampling, load_generator, server
from prmkit.generate.chat import load_generator as load_chat
from prmkit.generate.chat.by_ids import VllmIds
from prmkit.generate.chat.text import ChatPrompt, ChatSide, Part, Turn
from prmkit.generate.config import ChatEngine, OpenAIEngine
from prmkit.generate.format import PolicyFormat
from prmkit.generate.likely import TellsNextTokens
from prmkit.generate.server import Server
from prmkit.session import Engines, Session
from prmkit.tree import ROOT, Problem, StepTree
from tests.fake_chat import FakeChat, rendered
from tests.fakes import at
from tests.served import VLLM, run

TURNS = (Turn("user", "two?"),)
PROMPT = rendered([turn._asdict() for turn in TURNS])


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_FIRST_PAUSE", 0.01)


def on(fake: FakeChat, **options: Any) -> VllmIds:
    engine = ChatEngine(name="chat", url=fake.url, retries=1)
    return VllmIds(Server(engine), options.pop("arguments", {}), options.pop("options", {}), **options)


def prompt_of(ids: list[int]) -> str:
    return "".join(map(chr, ids))


def test_what_is_known_of_the_policy_is_asked_of_its_server() -> None:
    with FakeChat(owner="vllm") as fake:
        speaks = on(fake, arguments={"enable_thinking": False})
        side = asyncio.run(speaks.side(PolicyFormat()))
        again = asyncio.run(on(fake).side(PolicyFormat()))
        assert side is not None
        assert side.after == "</><assistant>"
        assert side.vocabulary
        assert side == again
        assert fake.tokenized[0]["chat_template_kwargs"] == {"enable_thinking": False}
        assert fake.tokenized[0]["add_generation_prompt"] is True
    with FakeChat(owner="vllm", models=("other",)) as other:
        assert asyncio.run(on(other).side(PolicyFormat())) == ChatSide(
            side.tags,
            side.after,
            asyncio.run(on(other).side(PolicyFormat())).vocabulary,  # type: ignore[union-attr]
        )
        assert asyncio.run(on(other).side(PolicyFormat())) != side


def test_the_tags_of_thoughts_are_those_that_are_one_token_and_else_what_the_recipe_says() -> None:
    class Magistral(FakeChat):
        def tokens(self, text: str) -> list[int]:
            return [7] if text == "[/THINK]" else super().tokens(text)

    with Magistral(owner="vllm") as fake:
        side = asyncio.run(on(fake).side(PolicyFormat()))
        assert side is not None
        assert side.tags == ("[THINK]", "[/THINK]")
        format = PolicyFormat.model_validate({"thoughts": {"open": "<a>", "close": "</a>"}})
        side = asyncio.run(on(fake).side(format))
        assert side is not None
        assert side.tags == ("<a>", "</a>")
    with FakeChat(owner="vllm") as fake:
        side = asyncio.run(on(fake).side(PolicyFormat()))
        assert side is not None
        assert side.tags == ("<think>", "</think>")


def test_a_server_without_tokenize_is_none_of_this_kind_and_a_template_that_refuses_is_bad_input() -> None:
    with FakeChat(owner="vllm", tokenizes=False) as fake:
        assert asyncio.run(on(fake).side(PolicyFormat())) is None

    class Refuses(FakeChat):
        async def _tokenize(self, request: Any) -> Any:
            self.faults = [400]
            return await self._fault(request)

    with Refuses(owner="vllm") as fake, pytest.raises(InputError, match="told to answer 400"):
        asyncio.run(on(fake).side(PolicyFormat()))


class Ends(FakeChat):
    """Has one token, 7, for what ends a turn."""

    def tokens(self, text: str) -> list[int]:
        marks = {"</>": 7, "<user>": 8}
        return [marks.get(each) or ord(each) for each in re.findall("</>|<user>|.", text, re.DOTALL)]

    def spell(self, token: int) -> str:
        return {7: "</>", 8: "<user>"}.get(token) or chr(token)


@pytest.mark.parametrize(("close", "ends"), [("</think>", [7, 8]), ("</>", [8]), ("</><user>", [])])
def test_what_ends_a_turn_ends_an_answer_unless_it_may_stand_in_one(close: str, ends: list[int]) -> None:
    with Ends(lambda question, seed: "Four.", owner="vllm") as fake:
        speaks = on(fake)
        format = PolicyFormat.model_validate({"thoughts": {"open": "<think>", "close": close}})
        asyncio.run(speaks.side(format))
        asyncio.run(speaks._ask(list(map(ord, PROMPT)), Sampling(max_tokens=9), 1, ()))
        assert fake.asked[-1].get("stop_token_ids", []) == ends


@pytest.mark.parametrize("key", ["reasoning_effort", "chat_template_kwargs"])
def test_what_goes_to_the_template_is_no_option(key: str) -> None:
    with (
        FakeChat(owner="vllm") as fake,
        pytest.raises(InputError, match=rf"engine\.options\.{key}.*template_arguments"),
    ):
        on(fake, options={key: "low"})


@pytest.mark.parametrize(
    "parts",
    [
        (),
        (Part("We "), Part("add.\n")),
        (Part("We add.\n", tuple(map(ord, "We add.\n"))),),
        (Part("We add.\n", tuple(map(ord, "We add.\n"))), Part("It is 4.")),
        (Part("We add.\n"), Part("It is 4.", tuple(map(ord, "It is 4.")))),
    ],
)
def test_a_prompt_is_what_the_model_reads(parts: tuple[Part, ...]) -> None:
    with FakeChat(owner="vllm") as fake:
        ids = asyncio.run(on(fake).ids(ChatPrompt(TURNS, parts)))
    assert prompt_of(ids) == PROMPT + "".join(part.text for part in parts)


class Merges(FakeChat):
    """Has one token for a pair of line ends, and for one behind a tag."""

    MERGED = ("\n\n", ">\n")

    def tokens(self, text: str) -> list[int]:
        found = re.findall("|".join(self.MERGED) + "|.", text, re.DOTALL)
        return [1000 + self.MERGED.index(each) if each in self.MERGED else ord(each) for each in found]

    def spell(self, token: int) -> str:
        return self.MERGED[token - 1000] if token >= 1000 else chr(token)


def test_ids_go_back_as_they_were_written_and_text_as_one_with_what_stands_before_it() -> None:
    with Merges(owner="vllm") as fake:
        # What the policy wrote in two tokens stays two, though their text would be one.
        written = Part("a\n", (97, 10))
        more = Part("\nb", (10, 98))
        assert asyncio.run(on(fake).ids(ChatPrompt(TURNS, (written, more))))[-4:] == [97, 10, 10, 98]
        # A text is tokenised with the end of the prompt, of which a tokenizer may make one token.
        assert asyncio.run(on(fake).ids(ChatPrompt(TURNS, (Part("\na\n"), Part("\nb")))))[-4:] == [1001, 97, 1000, 98]
        # Behind ids it stands alone.
        assert asyncio.run(on(fake).ids(ChatPrompt(TURNS, (written, Part("\nb")))))[-4:] == [97, 10, 10, 98]


def go_on(speaks: VllmIds, *, max_tokens: int = 100, stop: str | None = None) -> Any:
    sampling = Sampling(max_tokens=max_tokens, temperature=0)
    return asyncio.run(speaks.go_on(ChatPrompt(TURNS), sampling=sampling, seed=3, stop=at(stop)))


def test_a_continuation_comes_with_its_ids_and_the_text_of_each() -> None:
    with FakeChat(lambda question, seed: "We add.\nIt is 4.", owner="vllm") as fake:
        one, (usage,) = go_on(on(fake, options={"priority": 3}))
        assert (one.text, one.finish, one.ids, one.exact) == (
            "We add.\nIt is 4.",
            "eos",
            tuple(map(ord, "We add.\nIt is 4.")),
            True,
        )
        assert one.pieces == tuple("We add.\nIt is 4.")
        assert (usage.prompt, usage.sampled) == (len(PROMPT), 17)
        asked = fake.asked[-1]
        assert asked == {
            "model": "m",
            "prompt": list(map(ord, PROMPT)),
            "max_tokens": 100,
            "temperature": 0,
            "top_p": 1.0,
            "seed": 3,
            "top_k": -1,
            "min_p": 0.0,
            "repetition_penalty": 1.0,
            "logprobs": 0,
            "return_token_ids": True,
            "skip_special_tokens": False,
            "include_stop_str_in_output": True,
            "priority": 3,
        }
        one, _usages = go_on(on(fake), stop="is")
        assert (one.text, one.finish, one.tokens) == ("We add.\nIt is", "stop", 13)
        one, _ = go_on(on(fake), max_tokens=5)
        assert (one.text, one.finish) == ("We ad", "length")


def test_where_the_server_does_not_spell_the_tokens_the_text_is_one_piece() -> None:
    with FakeChat(lambda question, seed: "We add.", owner="vllm", spells=False) as fake:
        one, _ = go_on(on(fake))
        # An end of sequence that is spelled in the text cannot be told from it.
        assert (one.pieces, one.ids) == (("We add.\0",), tuple(map(ord, "We add.")))


def test_a_prompt_that_fills_the_context_is_refused_before_it_is_sent() -> None:
    with FakeChat(owner="vllm", tells_context=True) as fake:
        long = ChatPrompt((Turn("user", "a" * 5000),))
        with pytest.raises(
            InputError, match=r"the prompt fills the context, got '5020 tokens'; expected fewer than 4096"
        ):
            asyncio.run(on(fake).go_on(long, sampling=Sampling(), seed=3, stop=None))
        assert fake.asked == []


def test_an_answer_without_ids_ends_the_run_after_its_tries() -> None:
    with FakeChat(owner="vllm") as fake:
        speaks = on(fake)
        fake.faults = [b'{"choices": [{"text": "a", "finish_reason": "stop"}]}'] * 2
        with pytest.raises(RunError, match=r"in 2 tries \(an answer without token ids\)"):
            go_on(speaks)


def drawn(engine: Any, folder: Path, step_end: str, temperature: float) -> list[tuple[str, str | None, list[int]]]:
    """Steps as they were written, some drawn one by one and some in whole solutions, with their ids."""
    format = PolicyFormat.model_validate({"step_end": step_end, "thoughts": {"family": "none"}})
    config = GeneratorConfig(name=str(folder), engine=engine, format=format)
    generator, text = load_generator(config)
    sampling = Sampling(max_tokens=120, temperature=temperature)
    session = Session(
        StepTree(Problem(id="p", prompt="add a + b")),
        Engines(generator=generator, text=text, sampling=sampling, seed=1),
    )

    async def draw() -> None:
        await session.complete(ROOT, 2)
        for _ in range(2):
            new = await session.expand(ROOT, 1)
            while new and session.tree.nodes[new[0]].finish == "stop":
                new = await session.expand(new[0], 1)
        inner = [index for index, node in enumerate(session.tree) if node.finish == "stop"]
        await session.complete_each([(node, 1) for node in inner[:3]])  # from steps of whole solutions

    run(draw())
    return [(node.text, node.raw, list(node.ids or ())) for node in session.tree]


@pytest.mark.parametrize("step_end", ["e", "."])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
class TestOnVllm:
    pytestmark = VLLM

    def test_a_chat_draws_what_completions_by_ids_draw(
        self, chat_folder: Path, chat_url: str, step_end: str, temperature: float
    ) -> None:
        """Without a tokenizer here the template, the steps and their ids are those of one that has it."""
        chat = drawn(ChatEngine(name="chat", url=chat_url), chat_folder, step_end, temperature)
        ids = drawn(OpenAIEngine(name="openai", url=chat_url), chat_folder, step_end, temperature)
        assert chat == ids
        assert sum(bool(tokens) for _, _, tokens in chat) >= 4


class TestAChatEndpointOfVllm:
    pytestmark = VLLM

    def test_whole_answers_are_those_of_the_ids(self, chat_folder: Path, chat_url: str) -> None:
        """The endpoint leaves out special tokens, and nothing else; and it goes on behind one that opens a turn."""

        def answer(continues: str) -> Generation:
            engine = ChatEngine(name="chat", url=chat_url, continues=continues)  # type: ignore[arg-type]
            generator, text = load_generator(GeneratorConfig(name=str(chat_folder), engine=engine))
            prompt = text.begin(Problem(id="p", prompt="add a + b")).prompt
            return run(generator.generate(prompt, 2, sampling=Sampling(max_tokens=60, temperature=0), seed=1))

        by_text, by_ids = answer("none"), answer("auto")
        for one, other in zip(by_text.continuations, by_ids.continuations, strict=True):
            spelled = other.text  # type: ignore[attr-defined]
            for token in ("<|im_start|>", "<|endoftext|>"):
                spelled = spelled.replace(token, "")
            if other.finish == "eos":
                assert one.text.startswith(spelled)  # type: ignore[attr-defined]
            else:
                assert (one.text, one.finish, one.tokens) == (spelled, other.finish, other.tokens)  # type: ignore[attr-defined]
        assert by_text.prefill_tokens + by_text.cached_tokens == by_ids.prefill_tokens + by_ids.cached_tokens

    def test_the_likeliest_tokens_are_those_behind_what_was_written(self, chat_folder: Path, chat_url: str) -> None:
        """At each place of an answer they are what completions tell behind the prompt and the answer up to there."""
        engine = ChatEngine(name="chat", url=chat_url)
        chat, chat_text = load_chat(GeneratorConfig(name=str(chat_folder), engine=engine), likely=5)
        ids = OpenAIEngine(name="openai", url=chat_url)
        completions, text = load_generator(GeneratorConfig(name=str(chat_folder), engine=ids))
        problem, greedy = Problem(id="p", prompt="add a + b"), Sampling(max_tokens=6, temperature=0)
        begun = text.begin(problem).prompt
        one = run(chat.generate(chat_text.begin(problem).prompt, 1, sampling=greedy, seed=1)).continuations[0]
        other = run(completions.generate(begun, 1, sampling=greedy, seed=1)).continuations[0]
        assert len(one.likely) == 6  # type: ignore[attr-defined]
        for place, (_, likely) in enumerate(one.likely):  # type: ignore[attr-defined]
            assert isinstance(completions, TellsNextTokens)
            told = run(completions.next_tokens([*begun, *other.ids[:place]], 5)).tokens
            best = sorted((token.logprob for token in told), reverse=True)[:5]
            assert sorted((token.logprob for token in likely), reverse=True)[:5] == pytest.approx(best, abs=1e-4)
