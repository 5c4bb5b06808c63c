from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.generate.format import PolicyFormat
from prmkit.generate.rules import StepRules
from prmkit.generate.thoughts import Tags
from prmkit.packing.format import PromptFormat
from prmkit.packing.prompt import Prompter
from prmkit.thoughts import TAGS
from tests.packing.families import tokenizer_of

QWEN = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
GPT_OSS = ("<|startoftext|>", "<|return|>", "<|start|>", "<|end|>", "<|channel|>", "<|message|>", "<|call|>")
ANALYSIS, FINAL = TAGS["gpt-oss"]


def rules(family: str | None = "think", *, step_end: str = "\n\n", special: tuple[str, ...] = QWEN) -> StepRules:
    format = PolicyFormat.model_validate({"thoughts": {"steps": {"name": "separator"}}})
    return StepRules(format, step_end, Tags(*TAGS[family]) if family else None, special)


def steps(text: str, of: StepRules, *, thinking: bool = False) -> list[tuple[str, bool]]:
    """The steps of a text that ended, each with whether it is one of a thought."""
    found = []
    while text:
        piece = of.first(text, thinking)
        if piece.text:
            found.append((piece.text, piece.thought))
        text, thinking = piece.carried, piece.thinking
    return found


def test_a_thought_and_its_answer() -> None:
    text = "<think>\nA\n\nB\n</think>\n\nThe answer.\n\nDone"
    expected = [("A", True), ("B", True), ("The answer.", False), ("Done", False)]
    assert steps(text, rules()) == expected
    assert steps(text.removeprefix("<think>\n"), rules(), thinking=True) == expected  # opened by the template


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>\n\n</think>\n\nFour.", [("Four.", False)]),
        ("<think></think>", []),
        ("<think>\nA\n\nB", [("A", True), ("B", True)]),
        ("Four.\n\n<think>No.\n\nFive?</think>\n\nFive.", [
            ("Four.", False), ("No.", True), ("Five?", True), ("Five.", False)]),
        ("We see <think>that</think> it is.", [("We see", False), ("that", True), ("it is.", False)]),
        ("<|im_start|> <think>A</think><|im_end|>\n\nB<|im_end|>", [("A", True), ("B", False)]),
    ],
)  # fmt: skip
def test_thoughts_that_are_empty_open_second_or_behind_special_tokens(
    text: str, expected: list[tuple[str, bool]]
) -> None:
    assert steps(text, rules()) == expected


def test_special_tokens_in_front_of_a_step_are_no_step_of_their_own() -> None:
    of = rules(None)
    assert of.of(False).end("<|im_end|>\n\n<|im_start|>") is None
    assert of.of(False).end("<|im_end|>\n\n<|im_start|>A\n\nB") == 27
    assert steps("<|im_end|>\n\nA<|im_start|>b\n\n<|im_end|>C", of) == [("Ab", False), ("C", False)]
    assert steps("A\n\nB", rules(None, special=())) == [("A", False), ("B", False)]


def test_a_policy_without_thoughts_writes_tags_as_text() -> None:
    assert steps("<think>A\n\nB</think>", rules(None)) == [("<think>A", False), ("B</think>", False)]
    assert not rules(None).thinks_after("<think>", thinking=False)


@pytest.mark.parametrize("name", ["qwen3", "deepseek-r1", "smollm3"])
def test_a_tag_in_the_problem_starts_no_thought(name: str) -> None:
    prompter = Prompter(tokenizer_of(name), PromptFormat(template_arguments=_off(name)))
    asked = prompter.text("What does <think> mean?")
    assert asked.count("<think>") == prompter.text("What?").count("<think>") + 1
    thinking = rules().thinks_after(prompter.after, thinking=False)
    assert thinking is (name == "deepseek-r1")
    assert steps("A tag.", rules(), thinking=thinking) == [("A tag.", thinking)]


def _off(name: str) -> dict[str, Any]:
    return {} if name == "deepseek-r1" else {"enable_thinking": False}


def test_the_channels_of_gpt_oss() -> None:
    of = rules("gpt-oss", special=GPT_OSS)
    text = f"{ANALYSIS}A\n\nB{FINAL}The answer.\n\nDone<|return|>"
    assert steps(text, of) == [("A", True), ("B", True), ("The answer.", False), ("Done", False)]
    assert steps("<|channel|>final<|message|>Four.\n\nDone", of) == [("Four.", False), ("Done", False)]


def test_gpt_oss_may_think_in_several_messages_and_say_what_it_will_do() -> None:
    of = rules("gpt-oss", special=GPT_OSS)
    more = "<|end|><|start|>assistant<|channel|>"
    assert steps(f"{ANALYSIS}A\n\nB{more}analysis<|message|>C{FINAL}D", of) == [
        ("A", True),
        ("B\nC", True),
        ("D", False),
    ]
    assert steps(f"<|channel|>commentary<|message|>Plan.{more}analysis<|message|>A{FINAL}D", of) == [
        ("Plan.", False),
        ("A", True),
        ("D", False),
    ]


def test_the_step_end_may_be_a_token_of_its_own_and_an_indentation_stays() -> None:
    of = rules(None, step_end="<|quad_end|>", special=(*QWEN, "<|quad_end|>"))
    text = "def f(x):\n    y = x<|quad_end|>\n    return y \n<|quad_end|> done"
    assert steps(text, of) == [("def f(x):\n    y = x", False), ("    return y", False), ("done", False)]


def test_a_step_that_nobody_wrote_tags_around_gets_them() -> None:
    of = rules()
    assert of.tagged("A\n\n", thought=True, thinking=False) == "<think>\nA\n\n"
    assert of.tagged("A\n\n", thought=False, thinking=True) == "</think>\n\nA\n\n"
    assert of.tagged("A\n\n", thought=True, thinking=True) == "A\n\n"
    assert rules(None).tagged("A\n\n", thought=True, thinking=False) == "A\n\n"


@pytest.mark.parametrize(
    ("text", "thinking", "after"),
    [
        ("A", False, False),
        ("A", True, True),
        ("<think>A", False, True),
        ("A</think>", True, False),
        ("<think>A</think>B<think>", False, True),
        ("</think><think>\n\n</think>", True, False),
    ],
)
def test_whether_what_follows_is_thought(text: str, thinking: bool, after: bool) -> None:
    assert rules().thinks_after(text, thinking=thinking) is after


def test_a_text_comes_apart_at_its_tags() -> None:
    assert list(rules().parted("A<think>B</think>")) == [("", "A"), ("<think>", "B"), ("</think>", "")]
    assert list(rules(None).parted("A<think>B")) == [("", "A<think>B")]
    assert rules().without_tags("A<think>B</think><|im_end|>") == "AB<|im_end|>"


WORDS = ["<think>", "</think>", "<|im_end|>", "A", "B.", " ", "\n", "\n\n", "<|im_"]
CHANNELS = [ANALYSIS, FINAL, "<|channel|>final<|message|>", "<|end|>", "<|start|>assistant", "A", "\n\n", " "]


@pytest.mark.parametrize(("family", "words"), [("think", WORDS), ("gpt-oss", CHANNELS)])
@given(data=st.data(), thinking=st.booleans())
def test_a_text_written_bit_by_bit_has_the_steps_that_it_has_as_a_whole(
    family: str, words: list[str], data: st.DataObject, thinking: bool
) -> None:
    of = rules(family, special=GPT_OSS if family == "gpt-oss" else QWEN)
    text = "".join(data.draw(st.lists(st.sampled_from(words), max_size=12)))
    whole = steps(text, of, thinking=thinking)
    found, written, inside = [], "", thinking
    for character in text:
        written += character
        if of.of(inside).end(written) is not None:
            piece = of.first(written, inside)
            assert piece.text, "a step without text"
            found.append((piece.text, piece.thought))
            written, inside = piece.carried, piece.thinking
    assert found + steps(written, of, thinking=inside) == whole
