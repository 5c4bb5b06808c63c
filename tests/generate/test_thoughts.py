import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.generate.format import PolicyFormat, ThoughtFormat
from prmkit.generate.rules import StepRules
from prmkit.generate.thoughts import Closing, Tags, ThoughtfulSegmenter, tags_of
from prmkit.packing.format import PromptFormat
from prmkit.packing.prompt import Prompter
from prmkit.thoughts import TAGS
from tests.packing.families import FAMILIES, source, tokenizer_of
from tests.tiny import tiny_bpe_tokenizer

AUTO = ThoughtFormat()
THINK = Tags("<think>", "</think>")
HARMONY = Tags(*TAGS["gpt-oss"])

KIND = {
    "qwen3": "think",
    "qwq": "think",
    "deepseek-r1": "think",
    "smollm3": "think",
    "phi-4-reasoning": "think",
    "magistral": "magistral",
    "gpt-oss": "gpt-oss",
}
"""The families that think, and whose tags they write."""


class Paragraphs:
    """A step ends at a blank line, as a segmenter has to say it: a blank step is none."""

    stops = ("\n\n",)
    tokens = None

    def end(self, text: str) -> int | None:
        place = text.find("\n\n", len(text) - len(text.lstrip()))
        return place + 2 if place >= 0 else None


class Counted(Paragraphs):
    stops = ("!",)
    tokens = 7


def segmenter(thinking: bool, tags: Tags = THINK) -> ThoughtfulSegmenter:
    return ThoughtfulSegmenter(Paragraphs(), Paragraphs(), tags, thinking)


def cut(text: str, *, thinking: bool, tags: Tags = THINK) -> list[str]:
    """All steps of a text, the last one perhaps unfinished."""
    steps = []
    while text:
        end = segmenter(thinking, tags).end(text) or len(text)
        steps.append(text[:end])
        if tags.open in steps[-1] or tags.close in steps[-1]:
            thinking = steps[-1].rfind(tags.open) > steps[-1].rfind(tags.close)
        text = text[end:]
    return steps


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_is_recognised(name: str) -> None:
    expected = Tags(*TAGS[KIND[name]]) if name in KIND else None
    assert tags_of(AUTO, tokenizer_of(name), source(name)) == expected


@pytest.mark.parametrize("name", KIND)
def test_by_its_template_alone_too(name: str) -> None:
    assert tags_of(AUTO, None, source(name)) == Tags(*TAGS[KIND[name]])


@pytest.mark.parametrize("name", ["qwen3", "deepseek-r1", "smollm3", "phi-4-reasoning", "magistral", "gpt-oss"])
def test_and_by_its_tokens_alone(name: str) -> None:
    assert tags_of(AUTO, tokenizer_of(name), None) == Tags(*TAGS[KIND[name]])


def test_some_of_the_tokens_of_gpt_oss_do_not_make_a_gpt_oss() -> None:
    assert tags_of(AUTO, tiny_bpe_tokenizer(("<|endoftext|>", "<|im_end|>", "<|end|>", "<|message|>")), None) is None


@pytest.mark.parametrize(
    ("name", "arguments", "thinks"),
    [
        ("deepseek-r1", {}, True),  # the template opens the thought
        ("qwq", {}, True),
        ("qwen3", {}, False),  # the model does
        ("smollm3", {}, False),
        ("gpt-oss", {}, False),
        ("magistral", {}, False),  # whose system turn spells the tags
        ("phi-4-reasoning", {}, False),
        ("qwen3", {"enable_thinking": False}, False),  # an empty pair
        ("smollm3", {"enable_thinking": False}, False),
    ],
)
def test_whether_the_solution_begins_within_a_thought(name: str, arguments: dict[str, bool], thinks: bool) -> None:
    prompter = Prompter(tokenizer_of(name), PromptFormat(template_arguments=dict(arguments)))
    rules = StepRules(
        PolicyFormat(), "\n\n", tags_of(AUTO, tokenizer_of(name), prompter.chat_template), prompter.special
    )
    assert rules.thinks_after(prompter.after, thinking=False) is thinks


def test_what_is_named_takes_the_place_of_what_is_found() -> None:
    tokenizer, template = tokenizer_of("qwen3"), source("qwen3")
    assert tags_of(ThoughtFormat(family="none"), tokenizer, template) is None
    assert tags_of(ThoughtFormat(family="magistral"), tokenizer, template) == ("[THINK]", "[/THINK]")
    assert tags_of(ThoughtFormat(open="<r>", close="</r>"), tokenizer, template) == ("<r>", "</r>")
    assert tags_of(ThoughtFormat(family="think"), None, None) == THINK


@pytest.mark.parametrize("budget", [{"max_tokens": 64}, {"min_tokens": 8}])
def test_a_budget_for_a_policy_without_thoughts_is_refused(budget: dict[str, int]) -> None:
    with pytest.raises(
        InputError, match=r"format.thoughts: nothing is known of this policy's thoughts.*</think>.*Name"
    ):
        tags_of(ThoughtFormat(**budget), tokenizer_of("qwen2.5"), source("qwen2.5"))
    assert tags_of(ThoughtFormat(**budget), tokenizer_of("qwen3"), source("qwen3")) == THINK


def test_no_step_is_half_thought_and_half_answer() -> None:
    assert cut("<think>\nA\n\nB\n</think>\n\nThe answer.\n\nDone", thinking=False) == [
        "<think>\nA\n\n",
        "B\n</think>",
        "\n\nThe answer.\n\n",
        "Done",
    ]
    assert cut("\nA\n\nB\n</think>\n\nThe answer.", thinking=True) == ["\nA\n\n", "B\n</think>", "\n\nThe answer."]


def test_a_thought_without_text_is_no_step() -> None:
    assert cut("<think>\n\n</think>\n\nFour.\n\nDone", thinking=False) == ["<think>\n\n</think>\n\nFour.\n\n", "Done"]
    assert cut("\n\n</think>\n\nFour.", thinking=True) == ["\n\n</think>\n\nFour."]
    assert cut("<think></think><think>A</think>B", thinking=False) == ["<think></think><think>A</think>", "B"]


def test_a_tag_that_changes_nothing_is_passed_over() -> None:
    """Some models open the thought that the template has opened, or close one that they never had."""
    assert cut("<think>\nA\n\nB</think>C", thinking=True) == ["<think>\nA\n\n", "B</think>", "C"]
    assert cut("</think>\n\nC", thinking=False) == ["</think>\n\nC"]
    assert segmenter(True).begins("<think>\nA") == (True, 7)
    assert segmenter(False).begins("</think> A") == (False, 8)


def test_a_closing_behind_the_last_step_of_a_thought_belongs_to_the_answer() -> None:
    """When the step had ended, it was not there yet."""
    assert cut("A\n\n</think>\n\nB\n\nC", thinking=True) == ["A\n\n", "</think>\n\nB\n\n", "C"]


def test_an_answer_may_be_thought_over() -> None:
    assert cut("A\n\nWe see<think>\nB\n\nC</think>D", thinking=False) == [
        "A\n\n",
        "We see",
        "<think>\nB\n\n",
        "C</think>",
        "D",
    ]


def test_what_is_not_closed_is_all_thought() -> None:
    assert cut("<think>A\n\nB", thinking=False) == ["<think>A\n\n", "B"]
    assert segmenter(True).end("B") is None
    assert segmenter(False).begins("<think>A\n\nB") == (True, 7)
    assert segmenter(True).begins(" \n</think> A") == (False, 10)


def test_the_channels_of_gpt_oss() -> None:
    text = (
        "<|channel|>analysis<|message|>A\n\nB<|end|><|start|>assistant<|channel|>final<|message|>"
        "The answer.\n\nDone"
    )  # fmt: skip
    assert cut(text, thinking=False, tags=HARMONY) == [
        "<|channel|>analysis<|message|>A\n\n",
        "B<|end|><|start|>assistant<|channel|>final<|message|>",
        "The answer.\n\n",
        "Done",
    ]


def test_a_step_ends_where_either_side_or_a_tag_may_end_it() -> None:
    both = ThoughtfulSegmenter(Paragraphs(), Counted(), THINK, thinking=True)
    assert both.stops == ("</think>", "<think>", "!", "\n\n")
    assert both.tokens == 7
    assert ThoughtfulSegmenter(Paragraphs(), Counted(), THINK, thinking=False).tokens is None


def test_a_thought_alone_ends_at_its_closing() -> None:
    closing = Closing("</think>")
    assert (closing.stops, closing.tokens) == (("</think>",), None)
    assert closing.end("A\n\nB") is None
    assert closing.end("A\n\nB</think>C</think>") == 12


WORDS = st.lists(st.sampled_from(["<think>", "</think>", "A", "B.", " ", "\n", "\n\n", "<", "think"]), max_size=12)


@given(WORDS, st.booleans())
def test_an_end_is_for_good_and_no_step_is_blank(words: list[str], thinking: bool) -> None:
    text = "".join(words)
    ends = [segmenter(thinking).end(text[:length]) for length in range(len(text) + 1)]
    first = next((end for end in ends if end is not None), None)
    assert set(ends[ends.index(first) :]) == {first}
    if first is not None:
        assert text[:first].replace("<think>", "").replace("</think>", "").strip()
        length = ends.index(first)
        assert text[:length].endswith(segmenter(thinking).stops)  # noticed as a stop was completed


@given(WORDS, st.booleans())
def test_nothing_of_a_text_is_lost(words: list[str], thinking: bool) -> None:
    assert "".join(cut("".join(words), thinking=thinking)) == "".join(words)
