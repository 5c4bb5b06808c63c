from types import SimpleNamespace

import pytest

from prmkit.generate.format import PolicyFormat, ThoughtFormat
from prmkit.generate.text import PolicyText
from prmkit.models.ends import declared_ends, turn_end
from prmkit.packing.prompt import Prompter
from tests.tiny import tiny_bpe_tokenizer

CHATML = (
    "{% for turn in messages %}<|im_start|>{{ turn.role }}\n{{ turn.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def end_of(template: str | None, format: PolicyFormat | None = None) -> str | None:
    tokenizer = tiny_bpe_tokenizer()
    tokenizer.chat_template = template
    found = turn_end(tokenizer, Prompter(tokenizer, format or PolicyFormat()))
    return None if found is None else str(tokenizer.decode([found]))


@pytest.mark.parametrize(("listed", "expected"), [(5, {5, 2}), ([5, 6], {5, 6, 2}), (None, {2}), ([2], {2})])
def test_all_ends_that_are_declared_count(listed: object, expected: set[int]) -> None:
    tokenizer = tiny_bpe_tokenizer()
    assert tokenizer.eos_token_id == 2
    assert set(declared_ends(SimpleNamespace(eos_token_id=listed), tokenizer)) == expected  # type: ignore[arg-type]
    assert declared_ends(None, tokenizer) == (2,)


def test_the_template_tells_what_ends_a_turn_though_nobody_declared_it() -> None:
    assert end_of(CHATML) == "<|im_end|>"
    assert end_of(CHATML.replace("<|im_end|>", "<|endoftext|>")) == "<|endoftext|>"


@pytest.mark.parametrize(
    "template",
    [
        None,
        "{% for turn in messages %}{{ turn.content }}\n{% endfor %}",  # nothing special ends a turn
        "{% for turn in messages %}{% if turn.role == 'assistant' %}{{ raise_exception('no') }}{% endif %}"
        "{{ turn.content }}{% endfor %}",
    ],
)
def test_a_template_that_does_not_say_adds_none(template: str | None) -> None:
    assert end_of(template) is None


def test_what_closes_a_thought_does_not_end_the_answer() -> None:
    tokenizer = tiny_bpe_tokenizer()
    tokenizer.chat_template = CHATML
    assert PolicyText(tokenizer, PolicyFormat()).end_ids == {2}
    thoughts = ThoughtFormat(open="<|im_start|>think", close="<|im_end|><|im_start|>answer")
    assert PolicyText(tokenizer, PolicyFormat(thoughts=thoughts)).end_ids == frozenset()
