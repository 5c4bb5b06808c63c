import json
import logging
from typing import Any

import pytest

from prmkit.generate.chat.dialect import Dialect
from prmkit.generate.server import Refused

BODY = {"model": "m", "max_tokens": 4, "temperature": 0.5, "top_p": 1.0, "seed": 3}


def refused(said: Any, status: int = 400) -> Refused:
    return Refused("http://there", status, json.dumps(said).encode() if not isinstance(said, bytes) else said)


def taught(*complaints: Any, body: dict[str, Any] = BODY) -> tuple[list[bool], dict[str, Any]]:
    dialect = Dialect()
    learned = [dialect.learns(refused(said), body, dialect.spoken(body)) for said in complaints]
    return learned, dialect.spoken(body)


def message(text: str, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": text, "param": param}}


def test_nothing_is_changed_without_a_refusal() -> None:
    assert Dialect().spoken(BODY) == BODY


@pytest.mark.parametrize(
    "said",
    [
        message("Unsupported parameter", "temperature"),
        message("'temperature' does not support 0.5 with this model."),
        {"detail": [{"type": "extra_forbidden", "loc": ["body", "temperature"], "msg": "Extra inputs", "input": BODY}]},
        {"error": "temperature is fixed"},
        {"message": "temperature is fixed"},
        {"detail": "temperature is fixed"},
        b"temperature is fixed",
    ],
)
def test_a_key_is_left_out_where_a_server_calls_it_wrong_in_any_form(said: Any) -> None:
    assert taught(said) == ([True], {key: value for key, value in BODY.items() if key != "temperature"})


def test_the_longest_answer_is_called_by_its_other_name() -> None:
    learned, spoken = taught(message("max_tokens is not supported"))
    assert learned == [True]
    assert spoken["max_completion_tokens"] == 4
    assert "max_tokens" not in spoken


def test_a_seed_is_called_by_its_other_name_and_then_left_out() -> None:
    assert taught(message("seed"))[1]["random_seed"] == 3
    learned, spoken = taught(message("seed"), message("random_seed"))
    assert learned == [True, True]
    assert not {"seed", "random_seed"} & spoken.keys()


@pytest.mark.parametrize(
    "said", [message("the model is down"), message("maximum context length"), message("temperatures"), b"", b"[3]", {}]
)
def test_other_refusals_teach_nothing(said: Any) -> None:
    assert taught(said) == ([False], BODY)


def test_a_longest_answer_that_is_too_long_by_either_name_is_refused() -> None:
    learned, _ = taught(message("max_tokens is too large"), message("max_completion_tokens is too large"))
    assert learned == [True, False]


@pytest.mark.parametrize("status", [404, 413])
def test_another_status_is_about_something_else(status: int) -> None:
    assert not Dialect().learns(refused(message("temperature"), status), BODY, BODY)


def test_a_request_that_was_under_way_when_a_key_was_learned_is_sent_again(caplog: pytest.LogCaptureFixture) -> None:
    dialect = Dialect()
    with caplog.at_level(logging.WARNING):
        assert dialect.learns(refused(message("temperature")), BODY, BODY)
        assert dialect.learns(refused(message("temperature")), BODY, BODY)
    assert [record.getMessage() for record in caplog.records] == [
        "http://there: the server refuses the request (status 400: temperature). temperature is left out from now on"
    ]
