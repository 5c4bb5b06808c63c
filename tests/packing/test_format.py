import re
from typing import Any

import pytest
from pydantic import ValidationError

from prmkit.packing.format import TEMPLATES, PromptFormat, StepFormat


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"template": "plain", "system": "Be brief."}, "system goes with template: chat"),
        ({"template": "chatml", "system": ""}, "system goes with template: chat"),
        ({"template": "bare", "template_file": "t.jinja"}, "template_file goes with template: chat"),
        ({"template": "plain", "template_arguments": {"a": 1}}, "template_arguments goes with template: chat"),
        ({"template": "qwen-math", "date": "2026-11-29"}, "date goes with template: chat"),
        ({"template_arguments": {"tokenize": True}}, "tokenize is set by prmkit"),
        ({"template_arguments": {"enable_thinking": False, "strftime_now": "x"}}, "strftime_now is set by prmkit"),
        ({"template_file": ""}, "at least 1 character"),
        ({"date": "29 Nov 2026"}, "Invalid isoformat string"),
        ({"date": "20261129"}, "a date is YYYY-MM-DD"),
        ({"date": "2026-02-30"}, "day is out of range"),
    ],
)
def test_keys_that_would_do_nothing_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(message)):
        PromptFormat(**keys)


@pytest.mark.parametrize(
    ("keys", "chat"),
    [
        ({}, None),
        ({"template": "chat"}, True),
        ({"template": "plain"}, False),
        ({"system": ""}, True),
        ({"template_arguments": {"enable_thinking": False}}, True),
    ],
)
def test_what_only_a_chat_template_can_be_told_asks_for_one(keys: dict[str, Any], chat: bool | None) -> None:
    assert PromptFormat(**keys).speaks_chat is chat


def test_a_prm_reads_plain_text_unless_told_otherwise() -> None:
    assert StepFormat().template == "plain"
    with pytest.raises(ValidationError, match="system goes with template: chat"):
        StepFormat(system="Be brief.")
    assert StepFormat(template="chat", system="Be brief.").speaks_chat


@pytest.mark.parametrize("text", TEMPLATES.values())
def test_a_fixed_template_has_one_place_for_the_problem(text: str) -> None:
    assert text.count("{problem}") == 1
    assert text.replace("{problem}", "").count("{") == 2 * text.count("{{")
