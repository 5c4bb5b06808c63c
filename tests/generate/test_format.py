import pytest
from pydantic import ValidationError

from prmkit.generate.format import PolicyFormat, ThoughtFormat


@pytest.mark.parametrize(
    ("thoughts", "message"),
    [
        ({"open": "<a>"}, "open and close go together"),
        ({"max_tokens": 5, "min_tokens": 6}, "min_tokens is larger than max_tokens"),
        ({"family": "none", "max_tokens": 5}, "takes no tags and no budget"),
        ({"family": "none", "open": "<a>", "close": "</a>"}, "takes no tags and no budget"),
    ],
)
def test_what_makes_no_sense_is_refused(thoughts: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ThoughtFormat(**thoughts)


@pytest.mark.parametrize("key", ["system", "template_file"])
def test_what_goes_with_a_chat_template_is_refused_without(key: str) -> None:
    with pytest.raises(ValidationError, match=f"{key} goes with template: chat"):
        PolicyFormat(template="plain", **{key: "x"})
    assert getattr(PolicyFormat(**{key: "x"}), key) == "x"  # the default is the chat template, where there is one
