import re
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from prmkit.generate.config import (
    ChatEngine,
    CustomEngine,
    EngineConfig,
    GeneratorEngine,
    LocalEngine,
    OpenAIEngine,
    TransformersEngine,
    VllmEngine,
)

ENGINES: TypeAdapter[EngineConfig] = TypeAdapter(GeneratorEngine)


@pytest.mark.parametrize(
    ("told", "engine"),
    [
        ({}, TransformersEngine()),
        ({"name": "transformers"}, TransformersEngine()),
        ({"name": "vllm", "max_model_len": 99}, VllmEngine(name="vllm", max_model_len=99)),
        ({"name": "openai", "url": "http://h:1"}, OpenAIEngine(name="openai", url="http://h:1")),
        ({"name": "chat", "url": "http://h:1"}, ChatEngine(name="chat", url="http://h:1")),
        ({"name": "mine:load", "options": {"a": 1}}, CustomEngine(name="mine:load", options={"a": 1})),
    ],
)
def test_the_name_chooses_the_engine_and_an_engine_stays_what_it_is(told: dict[str, Any], engine: EngineConfig) -> None:
    chosen = ENGINES.validate_python(told)
    assert (type(chosen), chosen) == (type(engine), engine)
    assert ENGINES.validate_python(engine) == engine
    assert ENGINES.validate_json(ENGINES.dump_json(engine)) == engine


@pytest.mark.parametrize("told", [{"name": "vlm"}, {"name": None}, {"name": ["vllm"]}, {"name": 3}, None, "vllm", 3])
def test_what_names_no_engine_is_met_by_the_names(told: object) -> None:
    names = "an engine with a name among transformers, vllm, openai, chat, or my_package.module:load"
    with pytest.raises(ValidationError, match=re.escape(names)):
        ENGINES.validate_python(told)


@pytest.mark.parametrize(
    ("told", "key"),
    [
        ({"name": "vllm", "max_model_length": 9}, "max_model_length"),
        ({"name": "transformers", "url": "http://h"}, "url"),
        ({"name": "openai", "url": "http://h", "api_key": "secret"}, "api_key"),
        ({"name": "mine:load", "speed": 3}, "speed"),
    ],
)
def test_an_unknown_option_is_named_under_its_engine(told: dict[str, Any], key: str) -> None:
    with pytest.raises(ValidationError) as raised:
        ENGINES.validate_python(told)
    (error,) = raised.value.errors()
    assert (error["type"], error["loc"][-1]) == ("extra_forbidden", key)


@pytest.mark.parametrize("engine", ["transformers", "vllm"])
@pytest.mark.parametrize("option", [{"replicas": 2}, {"gpus": 1}, {"gpus": 0}])
def test_copies_are_actors(engine: str, option: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="replicas and gpus go with workers: ray"):
        ENGINES.validate_python({"name": engine} | option)
    there = ENGINES.validate_python({"name": engine, "workers": "ray"} | option)
    assert isinstance(there, LocalEngine)
    assert there.model_dump(include=set(option)) == option


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://h", "file:///etc/passwd", "", "HTTP//h"])
def test_a_server_is_reached_by_http(url: str) -> None:
    with pytest.raises(ValidationError, match=r"openai\.url"):
        ENGINES.validate_python({"name": "openai", "url": url})


@pytest.mark.parametrize(
    ("option", "legal", "illegal"),
    [("timeout", 0.1, 0), ("retries", 0, -1), ("in_flight", 1, 0)],
)
def test_limits_of_a_server_are_limits(option: str, legal: float, illegal: float) -> None:
    told = {"name": "openai", "url": "https://h"}
    assert getattr(ENGINES.validate_python(told | {option: legal}), option) == legal
    with pytest.raises(ValidationError, match=rf"openai\.{option}"):
        ENGINES.validate_python(told | {option: illegal})


def test_a_config_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        TransformersEngine().workers = "ray"  # type: ignore[misc]


@pytest.mark.parametrize("key", ["messages", "temperature", "seed", "max_tokens", "stream", "continue_final_message"])
def test_what_follows_from_the_recipe_is_no_option_of_a_chat(key: str) -> None:
    with pytest.raises(ValidationError, match=f"{key} is set by prmkit"):
        ENGINES.validate_python({"name": "chat", "url": "http://h", "options": {key: 1}})


@pytest.mark.parametrize(
    ("api", "good"), [("/v4", True), ("/v1beta/openai", True), ("", True), ("v4", False), ("/v4/", False)]
)
def test_what_stands_between_address_and_path_begins_with_a_slash_and_ends_without(api: str, good: bool) -> None:
    told = {"name": "chat", "url": "http://h", "api": api}
    if good:
        assert ENGINES.validate_python(told).model_dump()["api"] == api
    else:
        with pytest.raises(ValidationError):
            ENGINES.validate_python(told)
