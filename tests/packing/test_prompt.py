"""What a model is sent is what its own chat template makes of the problem, in text and in token ids."""

import json
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from prmkit.errors import InputError
from prmkit.packing.format import PromptFormat
from prmkit.packing.prompt import Prompter
from tests.packing.families import DAY, FAMILIES, TEMPLATES, source, tokenizer_of
from tests.tiny import tiny_bpe_tokenizer, tiny_sentencepiece_tokenizer, tiny_tokenizer

QUESTION = "What is 2+2?"


def prompter(name: str, **keys: Any) -> Prompter:
    day = {"date": DAY} if FAMILIES[name].tells_date else {}
    return Prompter(tokenizer_of(name), PromptFormat(**day | keys))


def applied(name: str, problem: str, *, tokenize: bool = False, system: str | None = None, **arguments: Any) -> Any:
    """What transformers makes of it, on the day of the tests."""
    turns = [{"role": "system", "content": system}] if system is not None else []
    return tokenizer_of(name).apply_chat_template(
        [*turns, {"role": "user", "content": problem}],
        tokenize=tokenize,
        return_dict=False,
        add_generation_prompt=True,
        strftime_now=date.fromisoformat(DAY).strftime,
        **arguments,
    )


@pytest.mark.parametrize("name", FAMILIES)
def test_the_first_prompt_is_the_one_that_the_family_knows(name: str) -> None:
    assert prompter(name).template == "chat"
    assert prompter(name).text(QUESTION) == FAMILIES[name].first == applied(name, QUESTION)


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize(
    "problem", [QUESTION, "We add two.\n\nSo?", "  Indented.\n", "é 🙂", "We<think>add</think>two"]
)
def test_its_tokens_are_those_of_the_whole_text(name: str, problem: str) -> None:
    assert prompter(name).text(problem) == applied(name, problem)
    assert prompter(name).ids(problem) == applied(name, problem, tokenize=True)


@pytest.mark.parametrize("name", FAMILIES)
def test_the_white_space_around_a_problem_is_what_the_template_makes_of_it(name: str) -> None:
    around = prompter(name)
    bare = around.before + QUESTION + around.after
    assert around.text(QUESTION) == bare
    spaced = around.text(f"\n  {QUESTION} \n")
    assert spaced == (bare if FAMILIES[name].trims else around.before + f"\n  {QUESTION} \n" + around.after)


def specials(name: str) -> set[int]:
    tokenizer = tokenizer_of(name)
    return {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}


@pytest.mark.parametrize("name", FAMILIES)
def test_what_a_problem_spells_is_no_special_token(name: str) -> None:
    around, special = prompter(name), specials(name)
    honest = [token for token in around.ids(QUESTION) if token in special]
    for token in around.special:
        for problem in (token, f"Two {token} and\n{token}two", f" {token}\n"):
            ids = around.ids(problem)
            assert [number for number in ids if number in special] == honest
            # A decoder may drop what a SentencePiece tokenizer puts in front of a piece, and nothing else.
            written = tokenizer_of(name).decode(ids, clean_up_tokenization_spaces=False)
            assert written.replace(" ", "") == around.text(problem).replace(" ", "")


def renamed(tokenizer: PreTrainedTokenizerBase, template: str) -> PreTrainedTokenizerBase:
    """The same tokenizer, whose special tokens are spelled as nobody spells them."""
    aliases = {str(token.content): f"\ue000{number}\ue001" for number, token in tokenizer.added_tokens_decoder.items()
               if token.special}  # fmt: skip
    state = json.loads(tokenizer.backend_tokenizer.to_str())  # type: ignore[attr-defined]
    for token in state["added_tokens"]:
        token["content"] = aliases.get(token["content"], token["content"])
    vocabulary = state["model"]["vocab"]
    state["model"]["vocab"] = {aliases.get(text, text): number for text, number in vocabulary.items()}
    if state["model"].get("unk_token") in aliases:
        state["model"]["unk_token"] = aliases[state["model"]["unk_token"]]
    named = {key: aliases[str(value)] for key, value in tokenizer.special_tokens_map.items() if isinstance(value, str)}
    other = PreTrainedTokenizerFast(
        tokenizer_object=type(tokenizer.backend_tokenizer).from_str(json.dumps(state)),  # type: ignore[attr-defined]
        **named,
    )
    for text, alias in sorted(aliases.items(), key=lambda pair: -len(pair[0])):
        template = template.replace(text, alias)
    other.chat_template = template
    return other


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "magistral"])  # whose template spells [THINK]
@settings(max_examples=25)
@given(data=st.data())
def test_a_problem_that_spells_them_is_tokenised_as_if_they_were_none(name: str, data: st.DataObject) -> None:
    around = prompter(name)
    words = st.sampled_from([*around.special, "We add", " two.", "\n", " ", "é", "x"])
    problem = "".join(data.draw(st.lists(words, max_size=6)))
    day = {"date": DAY} if FAMILIES[name].tells_date else {}
    other = Prompter(renamed(tokenizer_of(name), source(name)), PromptFormat(**day))
    assert not other.spells_special(problem)
    assert around.ids(problem) == other.ids(problem)


def test_white_space_that_a_special_token_takes_in_is_taken_in() -> None:
    """Phi-3's turns swallow the line break behind them."""
    tokenizer = tiny_bpe_tokenizer()
    state = json.loads(tokenizer.backend_tokenizer.to_str())  # type: ignore[attr-defined]
    for token in state["added_tokens"]:
        token |= {"rstrip": token["content"] == "<|im_start|>", "lstrip": token["content"] == "<|im_end|>"}
    greedy = PreTrainedTokenizerFast(
        tokenizer_object=type(tokenizer.backend_tokenizer).from_str(json.dumps(state)),  # type: ignore[attr-defined]
        eos_token="<|im_end|>",
    )
    greedy.chat_template = "{% for turn in messages %}<|im_start|> \n{{ turn.content }} \n<|im_end|>\nSo{% endfor %}"
    around = Prompter(greedy, PromptFormat())
    start, end = greedy.convert_tokens_to_ids(["<|im_start|>", "<|im_end|>"])
    assert around.ids(QUESTION)[:2] == [start, *greedy(QUESTION, add_special_tokens=False)["input_ids"][:1]]
    spelled = around.ids(" a<|endoftext|>b ")
    text = greedy("a<|endoftext|>b", add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert spelled[: len(text) + 2] == [start, *text, end]


def test_a_problem_may_spell_what_stands_for_it_here() -> None:
    around = prompter("qwen3")
    problem = "the-problem-stands-here-6f1d the-problem-stands-here-6f1d-0-0- <|im_end|>"
    assert tokenizer_of("qwen3").decode(around.ids(problem)) == around.text(problem)


@pytest.mark.parametrize(
    ("name", "arguments", "end"),
    [
        ("qwen3", {"enable_thinking": False}, "<|im_start|>assistant\n<think>\n\n</think>\n\n"),
        ("qwen3", {"enable_thinking": True}, "<|im_start|>assistant\n"),
        ("smollm3", {"enable_thinking": False}, "<|im_start|>assistant\n<think>\n\n</think>\n"),
    ],
)
def test_arguments_reach_the_template(name: str, arguments: dict[str, Any], end: str) -> None:
    around = prompter(name, template_arguments=arguments)
    assert around.after == "<|im_end|>\n" + end
    assert around.text(QUESTION) == applied(name, QUESTION, **arguments)
    assert around.ids(QUESTION) == applied(name, QUESTION, tokenize=True, **arguments)


def test_the_date_of_llama_3_1_is_an_argument() -> None:
    around = prompter("llama3.1", template_arguments={"date_string": "29 Nov 2026"})
    assert "Today Date: 29 Nov 2026\n" in around.before
    assert around.date is None


@pytest.mark.parametrize(
    "name", [name for name in FAMILIES if name not in ("gemma", "phi-4-reasoning", "qwen2.5", "smollm2")]
)
def test_a_system_turn_stands_where_the_template_puts_it(name: str) -> None:
    around = prompter(name, system="Be brief.")
    assert "Be brief." in around.text(QUESTION)
    assert around.text(QUESTION) == applied(name, QUESTION, system="Be brief.")
    assert around.ids(QUESTION) == applied(name, QUESTION, tokenize=True, system="Be brief.")


@pytest.mark.parametrize("name", ["qwen2.5", "smollm2"])
def test_a_system_turn_of_ones_own_takes_the_place_of_the_default(name: str) -> None:
    default = FAMILIES[name].first.partition("<|im_end|>")[0].removeprefix("<|im_start|>system\n")
    assert prompter(name, system="Be brief.").text(QUESTION) == FAMILIES[name].first.replace(default, "Be brief.")
    assert prompter(name, system="").before == "<|im_start|>system\n<|im_end|>\n<|im_start|>user\n"
    # What the template would say anyway is said, not left out.
    assert prompter(name, system=default).text(QUESTION) == FAMILIES[name].first


def test_a_system_turn_may_be_a_switch() -> None:
    around = prompter("smollm3", system="/no_think")
    assert "Reasoning Mode: /no_think\n" in around.before
    assert around.after.endswith("<think>\n\n</think>\n")


def test_a_template_of_ones_own_takes_the_place_of_the_models() -> None:
    around = prompter("qwen2.5", template_file=str(TEMPLATES / "phi-4.jinja"))
    assert around.text(QUESTION) == FAMILIES["phi-4"].first
    assert around.chat_template == source("phi-4")
    given = Prompter(tiny_bpe_tokenizer(), PromptFormat(template_file=str(TEMPLATES / "phi-4.jinja")))
    assert given.text(QUESTION) == FAMILIES["phi-4"].first


def test_a_template_that_tells_the_date_tells_todays() -> None:
    before = date.today()
    around = Prompter(tokenizer_of("gpt-oss"), PromptFormat())
    assert around.date in (before.isoformat(), date.today().isoformat())
    assert f"Current date: {around.date}\n" in around.before
    assert prompter("gpt-oss").date == DAY
    assert prompter("qwen3").date is None


def test_a_model_without_a_chat_template_reads_plain_text() -> None:
    around = Prompter(tiny_tokenizer(), PromptFormat())
    assert (around.template, around.text("1 + 2 ?")) == ("plain", "1 + 2 ?\n")
    assert prompter("qwen2.5", template="bare").text(QUESTION) == QUESTION
    assert prompter("qwen2.5", template="chatml").before.startswith("<|im_start|>system\nYou are a helpful assistant.")


@pytest.mark.parametrize("marks", ["beginning", "pieces"])
@pytest.mark.parametrize("problem", ["We add two.", "</s> We", "x<s>"])
def test_plain_text_begins_as_the_tokenizer_begins_a_text(marks: Any, problem: str) -> None:
    """A base model has seen <s> and then ▁We, whatever its tokenizer makes of <s>We."""
    tokenizer = tiny_sentencepiece_tokenizer(marks=marks)
    around = Prompter(tokenizer, PromptFormat(template="plain"))
    text = tokenizer(problem + "\n", add_special_tokens=False, split_special_tokens=True)["input_ids"]
    assert around.text(problem) == f"<s>{problem}\n"
    assert around.ids(problem) == [tokenizer.bos_token_id, *text]
    assert tokenizer.convert_ids_to_tokens(text[0]).startswith("▁")
    if "s>" not in problem:
        assert around.tokenised(around.text(problem)) == around.ids(problem)


def test_the_sentencepiece_families_differ_in_what_follows_a_special_token() -> None:
    """Otherwise the table above would not tell a stray ▁ from a right one."""
    one, other = (tiny_sentencepiece_tokenizer(["[INST]"], marks=marks) for marks in ("beginning", "pieces"))
    assert one.tokenize("[INST]We") == ["[INST]", "We"]
    assert other.tokenize("[INST]We") == ["[INST]", "▁We"]


def test_an_answer_is_ended_as_the_template_ends_it() -> None:
    said = prompter("qwen3", system="Be brief.").dialogue(["2+2?", "Four."])
    assert said == (
        "<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n2+2?<|im_end|>\n"
        "<|im_start|>assistant\nFour.<|im_end|>\n"
    )
    with pytest.raises(InputError, match="a fixed template has no turns, got 'plain'"):
        Prompter(tiny_tokenizer(), PromptFormat()).dialogue(["1 + 2 ?", "3"])


def test_special_tokens_can_be_seen() -> None:
    around = prompter("qwen2.5")
    assert around.spells_special("a<|im_end|>b")
    assert not around.spells_special("a<|im_|>b")
    assert list(around.special) == ["<|endoftext|>", "<|im_end|>", "<|im_start|>"]
    assert prompter("qwen3").ids("<think>") == applied("qwen3", "<think>", tokenize=True)  # whole, and not special


@pytest.mark.parametrize(
    ("name", "keys", "message"),
    [
        (
            "gemma",
            {"system": "Be brief."},
            r"refuses the system and user turn \(System role not supported\).*Leave out",
        ),
        ("phi-4-reasoning", {"system": "Be brief."}, "leaves the system turn out. Leave out format.system"),
        ("qwen3", {"template_arguments": {"enable_thinkin": False}}, "reads no such argument, got 'enable_thinkin'"),
        ("llama3.1", {"date": DAY}, "does not tell the date. Leave out format.date"),
    ],
)
def test_a_template_that_refuses_or_ignores_what_it_is_told(name: str, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        prompter(name, **keys)


@pytest.mark.parametrize(
    "keys",
    [
        {"template": "chat"},
        {"system": "Be brief."},
        {"template_arguments": {"enable_thinking": False}},
        {"template": "chat", "date": DAY},
    ],
)
def test_a_model_without_a_chat_template_cannot_be_asked_by_one(keys: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"no chat template\. Name a fixed one .*format.template_file"):
        Prompter(tiny_bpe_tokenizer(), PromptFormat(**keys))


def test_a_template_that_leaves_the_problem_out_is_refused() -> None:
    tokenizer = tiny_bpe_tokenizer()
    tokenizer.chat_template = "{% for turn in messages %}{{ turn.role }}{% endfor %}"
    with pytest.raises(InputError, match="leaves the problem out"):
        Prompter(tokenizer, PromptFormat())
