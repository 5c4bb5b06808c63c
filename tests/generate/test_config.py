import re
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from prmkit.generate.config import (
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
    names = "an engine with a name among transformers, vllm, openai, or my_package.module:load"
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
