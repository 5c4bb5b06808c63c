from types import SimpleNamespace
from typing import Any

import pytest
from transformers import PreTrainedTokenizerBase

from prmkit.generate.format import PolicyFormat, ThoughtFormat
from prmkit.generate.text import PolicyText
from prmkit.models.ends import declared_ends
from tests.packing.families import tokenizer_of
from tests.tiny import tiny_bpe_tokenizer

CHATML = (
    "{% for turn in messages %}<|im_start|>{{ turn.role }}\n{{ turn.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


@pytest.mark.parametrize(("listed", "expected"), [(5, {5, 2}), ([5, 6], {5, 6, 2}), (None, {2}), ([2], {2})])
def test_all_ends_that_are_declared_count(listed: object, expected: set[int]) -> None:
    tokenizer = tiny_bpe_tokenizer()
    assert tokenizer.eos_token_id == 2
    assert set(declared_ends(SimpleNamespace(eos_token_id=listed), tokenizer)) == expected  # type: ignore[arg-type]
    assert declared_ends(None, tokenizer) == (2,)


def ends_of(tokenizer: PreTrainedTokenizerBase, **format: Any) -> tuple[set[str], list[str]]:
    """What ends an answer: the tokens, and the texts of several tokens."""
    found = PolicyText(tokenizer, PolicyFormat(**format)).ends
    return {str(tokenizer.decode([token])).strip() for token in found.ids}, list(found.texts)


def base_of(template: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a base model that has no tokens for the marks of a chat template."""
    tokenizer = tiny_bpe_tokenizer(("<|endoftext|>", "<s>"), eos_token="<|endoftext|>", bos_token="<s>")
    tokenizer.chat_template = template
    return tokenizer


PHI_3 = (
    "{% for turn in messages %}{{ '<|' + turn.role + '|>\n' + turn.content + '<|end|>\n' }}{% endfor %}"
    "{{ '<|assistant|>\n' if add_generation_prompt else eos_token }}"
)
VICUNA = (
    "{% for turn in messages %}{{ 'USER: ' + turn.content if turn.role == 'user' else ' ASSISTANT: ' + turn.content }}"
    "{% if turn.role == 'assistant' %}{{ ' ' }}{% endif %}{% endfor %}{{ ' ASSISTANT:' if add_generation_prompt }}"
)


FOUND = {
    "qwen2.5": ({"<|im_end|>", "<|im_start|>"}, ["<|im_end|>", "<|im_start|>user", "<|im_start|>assistant"]),
    "qwen3": ({"<|im_end|>", "<|im_start|>"}, ["<|im_end|>", "<|im_start|>user", "<|im_start|>assistant"]),
    "qwq": ({"<|im_end|>", "<|im_start|>"}, ["<|im_end|>", "<|im_start|>user", "<|im_start|>assistant"]),
    "llama3.1": (
        {"<|eot_id|>", "<|start_header_id|>"},
        [
            "<|eot_id|>",
            "<|start_header_id|>user<|end_header_id|>",
            "<|start_header_id|>assistant<|end_header_id|>",
        ],
    ),
    "mistral-tokens": ({"</s>", "[INST]", "[/INST]"}, ["[INST]", "[/INST]"]),
    "gemma": (
        {"<end_of_turn>", "<start_of_turn>"},
        ["<end_of_turn>", "<start_of_turn>user", "<start_of_turn>model"],
    ),
    "deepseek-r1": (
        {"<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"},
        ["<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"],
    ),
    "phi-4": (
        {"<|im_end|>", "<|im_start|>"},
        ["<|im_end|>", "<|im_start|>user<|im_sep|>", "<|im_start|>assistant<|im_sep|>"],
    ),
}


@pytest.mark.parametrize("name", FOUND)
def test_a_template_tells_what_ends_an_answer_though_nobody_declared_it(name: str) -> None:
    tokens, texts = FOUND[name]
    assert ends_of(tokenizer_of(name)) == (tokens, [])
    # By a tokenizer that does not know them they are spelled; Mistral's end is then the declared one.
    ids, spelled = ends_of(base_of(tokenizer_of(name).chat_template))
    assert (ids - {"<|endoftext|>"}, spelled) == (set(), texts)


def test_where_a_mark_is_no_token_the_others_still_are() -> None:
    assert ends_of(tokenizer_of("mistral")) == ({"</s>"}, ["[INST]", "[/INST]"])
    assert ends_of(tokenizer_of("llama2")) == ({"<s>", "</s>"}, ["[/INST]"])


def test_a_token_that_is_not_special_counts_where_it_is_the_whole_mark() -> None:
    tokenizer = tiny_bpe_tokenizer(("<|endoftext|>",), added=("<|im_end|>",), eos_token="<|endoftext|>")
    tokenizer.chat_template = CHATML
    assert ends_of(tokenizer) == ({"<|im_end|>"}, ["<|im_start|>user", "<|im_start|>assistant"])


def test_what_gpt_oss_writes_between_its_own_messages_ends_no_answer() -> None:
    for format in ({}, {"thoughts": ThoughtFormat(family="none")}):
        assert ends_of(tokenizer_of("gpt-oss"), **format) == ({"<|return|>"}, ["<|end|><|start|>user<|message|>"])


def test_other_templates() -> None:
    assert ends_of(base_of(PHI_3)) == (set(), ["<|end|>", "<|user|>", "<|assistant|>"])
    # Nothing ends the turn; its mere words open that of the user, and may stand in an answer of the model.
    assert ends_of(base_of(VICUNA)) == (set(), ["USER:"])
    strict = CHATML.replace("{% for", "{% if messages|length > 2 %}{{ raise_exception('no') }}{% endif %}{% for", 1)
    tokenizer = tiny_bpe_tokenizer()
    tokenizer.chat_template = strict
    assert ends_of(tokenizer) == ({"<|im_end|>", "<|im_start|>"}, [])


@pytest.mark.parametrize(
    "template",
    [
        None,
        "{% for turn in messages %}{{ turn.content }}\n{% endfor %}",  # nothing ends a turn
        "{% for turn in messages %}{% if turn.role == 'assistant' %}{{ raise_exception('no') }}{% endif %}"
        "{{ turn.content }}{% endfor %}",
        "{% for turn in messages if turn.role == 'user' %}{{ turn.content }}{% endfor %}",  # it leaves answers out
    ],
)
def test_a_template_that_does_not_say_adds_none(template: str | None) -> None:
    tokenizer = tiny_bpe_tokenizer()
    tokenizer.chat_template = template
    assert ends_of(tokenizer) == (set(), [])


@pytest.mark.parametrize("template", ["chatml", "qwen-math"])
def test_fixed_chat_turns_end_as_chatml_does(template: str) -> None:
    assert ends_of(tiny_bpe_tokenizer(), template=template) == ({"<|im_end|>", "<|im_start|>"}, [])
    assert ends_of(base_of(""), template=template) == (
        set(),
        ["<|im_end|>", "<|im_start|>user", "<|im_start|>assistant"],
    )


@pytest.mark.parametrize("template", ["plain", "bare"])
def test_a_fixed_text_without_turns_has_no_end_of_its_own(template: str) -> None:
    tokenizer = tiny_bpe_tokenizer()
    tokenizer.chat_template = CHATML
    assert ends_of(tokenizer, template=template) == (set(), [])


def test_what_closes_a_thought_does_not_end_the_answer() -> None:
    tokenizer = tiny_bpe_tokenizer()
    tokenizer.chat_template = CHATML
    thoughts = ThoughtFormat(open="<|im_start|>think", close="<|im_end|><|im_start|>answer")
    assert ends_of(tokenizer, thoughts=thoughts) == (set(), ["<|im_start|>user", "<|im_start|>assistant"])


def test_every_mark_is_told_to_a_server_that_takes_texts() -> None:
    found = PolicyText(tokenizer_of("qwen3"), PolicyFormat()).ends
    assert found.marks == ("<|im_end|>", "<|im_start|>user", "<|im_start|>assistant")
