import asyncio
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.generate.chat.continuing import Manner, Tried, asked, manner_of, way_of
from prmkit.generate.chat.text import ChatPrompt, Part, Turn
from prmkit.generate.thoughts import Tags

THINK = Tags("<think>", "</think>")
TURNS = (Turn("system", "Be brief."), Turn("user", "two?"))


@pytest.mark.parametrize(
    ("continues", "owner", "way"),
    [
        ("auto", "deepseek", "deepseek"),
        ("auto", "mistralai", "mistral"),
        ("auto", "sglang", "vllm"),
        ("auto", None, "vllm"),
        ("mistral", "somebody", "mistral"),
        ("none", "deepseek", None),
    ],
)
def test_the_way_is_that_of_the_recipe_and_else_of_the_server(continues: str, owner: Any, way: str | None) -> None:
    assert way_of(continues, owner) == way


@pytest.mark.parametrize("way", ["vllm", "deepseek", "mistral", None])
def test_a_new_answer_needs_nothing(way: Any) -> None:
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "two?"}]
    assert asked(ChatPrompt(TURNS), way, THINK) == ("/chat/completions", turns, {})


@pytest.mark.parametrize(
    ("way", "path", "last", "keys"),
    [
        (
            "vllm",
            "/chat/completions",
            {"content": "<think>a</think>b\n"},
            {"continue_final_message": True, "add_generation_prompt": False},
        ),
        ("deepseek", "/beta/chat/completions", {"content": "b\n", "reasoning_content": "a", "prefix": True}, {}),
        ("mistral", "/chat/completions", {"content": "<think>a</think>b\n", "prefix": True}, {}),
    ],
)
def test_an_answer_that_was_begun_stands_last(way: Any, path: str, last: dict[str, Any], keys: dict[str, Any]) -> None:
    found = asked(ChatPrompt(TURNS, (Part("<think>a"), Part("</think>b\n"))), way, THINK)
    assert (found.path, found.messages[-1], found.keys) == (path, {"role": "assistant", **last}, keys)
    assert len(found.messages) == 3


def test_deepseek_takes_a_thought_that_is_not_over() -> None:
    found = asked(ChatPrompt(TURNS, (Part("<think>a"),)), "deepseek", THINK)
    assert found.messages[-1] == {"role": "assistant", "content": "", "reasoning_content": "a", "prefix": True}
    for tags in (THINK, None):
        found = asked(ChatPrompt(TURNS, (Part("b"),)), "deepseek", tags)
        assert found.messages[-1] == {"role": "assistant", "content": "b", "prefix": True}


def found(text: str, *, extra: int = 0, counts: bool = True, trims: bool = False, echoes: bool = False) -> Manner:
    """The manner of a server that writes ``text`` and reads so many tokens besides, one a character."""

    async def ask(prompt: ChatPrompt, tokens: int) -> Tried:
        answer = prompt.answer.rstrip() if trims else prompt.answer
        read = sum(len(turn.content) for turn in prompt.turns) + (len(answer) + extra if answer else 0)
        return Tried((answer if echoes else "") + text, read if counts else 0)

    return asyncio.run(manner_of(ask, "there"))


def test_a_server_that_writes_the_rest_goes_on() -> None:
    assert found("Z41-VB88") == Manner()
    assert found(" Z41", counts=False) == Manner()
    assert found("Z41-VB88", extra=-5) == Manner()  # a new answer begins with an empty thought, a begun one does not
    assert found("Z41-VB88", echoes=True) == Manner(repeats=True)
    assert found("Z41-VB88", trims=True) == Manner(trims=True)


@pytest.mark.parametrize("text", ["K7QX-93LM-TZ41-VB88", "Sure! Z41", "As you wish: Z41", ""])
def test_a_server_that_writes_something_else_does_not(text: str) -> None:
    with pytest.raises(InputError, match=r"there: the server does not go on .*wrote .*best-of-n, or serve the model"):
        found(text)


def test_nor_does_one_that_reads_the_tokens_between_two_turns() -> None:
    """A strong model sees its own broken turn, and goes on with it in a new one."""
    with pytest.raises(InputError, match="it reads 4 tokens more than the answer that was begun: it begins a new turn"):
        found("Z41-VB88", extra=5)
    assert found("Z41-VB88", extra=4) == Manner()


def test_what_may_be_repeated_is_the_answer_or_the_white_space_at_its_end() -> None:
    assert Manner().repeated("a\n\n") == ""
    assert Manner(repeats=True).repeated("a\n\n") == "a\n\n"
    assert Manner(trims=True).repeated("a\n\n") == "\n\n"
    assert Manner(trims=True).repeated("a") == ""
