import asyncio
import pickle
from typing import Any

import pytest
from pydantic import ValidationError

from prmkit.errors import InputError
from prmkit.generate import (
    GENERATORS,
    GeneratorConfig,
    Sampling,
    TooLong,
    check_prompt,
    load_generator,
    replicas,
    together,
)
from prmkit.generate.config import ChatEngine, CustomEngine, TransformersEngine, VllmEngine
from prmkit.generate.format import PolicyFormat


def load_mine(config: GeneratorConfig) -> tuple[str, GeneratorConfig]:
    """Somebody's engine, which is only told of."""
    return "mine", config


def test_somebodys_engine_is_given_the_whole_recipe() -> None:
    engine = CustomEngine(name="tests.generate.test_init:load_mine", options={"beams": 3})
    config = GeneratorConfig(name="a policy", engine=engine, format=PolicyFormat(step_end="<step>"))
    assert load_generator(config) == ("mine", config)


@pytest.mark.parametrize("name", ["tests.generate.test_init:load_yours", "tests.nowhere:load"])
def test_somebodys_engine_that_is_not_there_is_bad_input(name: str) -> None:
    with pytest.raises(InputError, match=rf"cannot import the generator engine, got '{name}'"):
        load_generator(GeneratorConfig(name="a policy", engine=CustomEngine(name=name)))


@pytest.mark.parametrize("engine", [TransformersEngine(workers="ray"), VllmEngine(name="vllm", workers="ray")])
def test_an_engine_on_ray_is_one_of_actors_whatever_it_is(
    monkeypatch: pytest.MonkeyPatch, engine: TransformersEngine
) -> None:
    monkeypatch.setattr(replicas, "replicated_generator", lambda config: ("actors", config.engine))
    assert load_generator(GeneratorConfig(name="a policy", engine=engine)) == ("actors", engine)


@pytest.mark.parametrize("name", sorted(GENERATORS.builtin))
def test_a_built_in_engine_can_be_imported(name: str) -> None:
    """Also where the library that it needs is not installed."""
    assert callable(GENERATORS.load(name))


@pytest.mark.parametrize(
    ("option", "legal", "illegal"),
    [
        ("temperature", [0, 1.5], [-0.1, float("nan"), "hot"]),
        ("top_p", [1e-6, 1], [0, 1.01, float("nan")]),
        ("max_tokens", [1], [0, -1, 1.5]),
        ("top_k", [], [1]),
    ],
)
def test_what_cannot_be_sampled_with_is_refused(option: str, legal: list[Any], illegal: list[Any]) -> None:
    for value in legal:
        assert getattr(Sampling.model_validate({option: value}), option) == value
    for value in illegal:
        with pytest.raises(ValidationError, match=option):
            Sampling.model_validate({option: value})


@pytest.mark.parametrize("option", [{"memory": 0}, {"memory": 1.1}, {"dtype": "int8"}, {"max_rows": 0}, {"nmae": "x"}])
def test_what_no_policy_can_be_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(option))):
        GeneratorConfig.model_validate({"name": "a policy"} | option)


def test_a_prompt_must_leave_room_for_a_token() -> None:
    check_prompt([5] * 9, 10)
    check_prompt([5] * 100_000, None)  # where only the server knows its context, it says so
    for length in (10, 11):
        with pytest.raises(
            InputError, match=rf"the prompt fills the context, got '{length} tokens'; expected fewer than 10"
        ):
            check_prompt([5] * length, 10)


@pytest.mark.parametrize("context", [None, 10])
def test_an_empty_prompt_has_nothing_to_go_on_from(context: int | None) -> None:
    with pytest.raises(InputError, match="empty prompt; expected at least one token"):
        check_prompt([], context)


def test_results_come_in_the_order_of_the_requests_not_of_their_ends() -> None:
    async def reply(number: int) -> int:
        for _ in range(3 - number):
            await asyncio.sleep(0)
        return number

    assert asyncio.run(together(reply(number) for number in range(3))) == [0, 1, 2]


def test_the_first_error_is_raised_as_it_is_and_cancels_the_others() -> None:
    cancelled = []

    async def wait_for_ever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    async def fail() -> None:
        await asyncio.sleep(0)
        raise InputError("no such thing")

    with pytest.raises(InputError, match=r"^no such thing$"):
        asyncio.run(together([wait_for_ever(), fail(), wait_for_ever()]))
    assert cancelled == [True, True]


CHAT = ChatEngine(name="chat", url="http://h")


@pytest.mark.parametrize(
    ("format", "cure"),
    [
        ({"template": "plain"}, r"leave out format\.template"),
        ({"template_file": "mine.jinja"}, r"leave out format\.template"),
        ({"date": "2026-11-29"}, r"leave out format\.template, template_file and date"),
        ({"thoughts": {"max_tokens": 9}}, "take engine openai or vllm"),
        ({"thoughts": {"min_tokens": 9, "family": "think"}}, "take engine openai or vllm"),
    ],
)
def test_what_a_chat_server_cannot_be_told_is_refused_with_the_recipe(format: dict[str, Any], cure: str) -> None:
    with pytest.raises(ValidationError, match=cure):
        GeneratorConfig(name="m", engine=CHAT, format=PolicyFormat.model_validate(format))
    assert GeneratorConfig(name="m", format=PolicyFormat.model_validate(format)).has_tokenizer


def test_a_chat_needs_no_tokenizer() -> None:
    format = PolicyFormat.model_validate({"template": "chat", "system": "Be brief.", "thoughts": {"family": "think"}})
    assert not GeneratorConfig(name="m", engine=CHAT, format=format).has_tokenizer


def test_a_refusal_of_what_is_too_long_comes_whole_out_of_another_process() -> None:
    refusal = TooLong(where="p", tokens=20, context=12)
    again = pickle.loads(pickle.dumps(refusal))
    assert isinstance(again, TooLong)
    assert (str(again), again.context) == (str(refusal), 12)
    assert str(refusal) == "p: the prompt fills the context, got '20 tokens'; expected fewer than 12"
