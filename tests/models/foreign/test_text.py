"""What each kind of PRM reads, by hand; that its scores are those of the authors' code is tested with the adapters."""

from pathlib import Path

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from prmkit.errors import InputError
from prmkit.models.config import Adapter
from prmkit.models.foreign.adapters import read_prm
from prmkit.models.foreign.text import MathShepherdEncoder, RLHFlowEncoder, SkyworkEncoder, TRLEncoder
from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat
from prmkit.tree import Problem
from tests.models.foreign.test_adapters import CHATML, KINDS, PROBLEM, STEPS, byte_level, sentencepiece
from tests.tiny import tiny_tokenizer

LINES = StepFormat()
WORDS = tiny_tokenizer()
SUM = Problem(id="p", prompt="1 + 2 ?")


def ids_of(words: str) -> list[int]:
    return [WORDS.convert_tokens_to_ids(word) for word in words.split(" ")]


def with_start() -> PreTrainedTokenizerBase:
    """The words, with <pad> for the start of a text."""
    tokenizer = tiny_tokenizer()
    tokenizer.bos_token = "<pad>"
    return tokenizer


def chat(template: str | None = CHATML) -> PreTrainedTokenizerBase:
    tokenizer = byte_level("<|im_start|>", "<|im_end|>", eos_token="<|im_end|>")
    tokenizer.chat_template = template
    return tokenizer


def read_at(encoder: StepEncoder, problem: Problem, steps: list[str]) -> list[str]:
    """The text up to each place where a score is read."""
    ids, ends = encoder.path_ids(problem, steps)
    assert ends == sorted(set(ends))
    return [str(encoder.tokenizer.decode(ids[: end + 1])) for end in ends]


def test_trl_puts_nothing_between_the_problem_and_the_first_step() -> None:
    for tokenizer, start in ((WORDS, []), (with_start(), ids_of("<pad>"))):
        ids, ends = TRLEncoder(tokenizer, LINES).path_ids(SUM, ["1 + 2", "3"])
        assert ids == [*start, *ids_of("1 + 2 ? 1 + 2 \n 3 \n")]
        assert ends == [len(start) + 7, len(start) + 9]


def test_skywork_puts_a_line_end_behind_the_problem() -> None:
    for tokenizer, start in ((WORDS, []), (with_start(), ids_of("<pad>"))):
        ids, ends = SkyworkEncoder(tokenizer, LINES).path_ids(SUM, ["1 + 2", "3"])
        assert ids == [*start, *ids_of("1 + 2 ? \n 1 + 2 \n 3 \n")]
        assert ends == [len(start) + 8, len(start) + 10]


def test_of_a_line_end_of_several_tokens_skywork_takes_the_last() -> None:
    tokenizer = sentencepiece()  # which puts a blank before every text, and knows a line end as a byte
    encoder = SkyworkEncoder(tokenizer, LINES)
    assert len(encoder.step_end_ids) > 1
    step = encoder.step_ids("The sum is four.")
    assert step[:-1] == tokenizer("The sum is four.", add_special_tokens=False)["input_ids"]
    assert step[-1] == tokenizer.convert_tokens_to_ids("<0x0A>")


@pytest.mark.parametrize("tokenizer", [byte_level(), sentencepiece()], ids=["bytes", "sentencepiece"])
def test_math_shepherd_reads_at_the_tag_behind_each_step(tokenizer: PreTrainedTokenizerBase) -> None:
    encoder = MathShepherdEncoder(tokenizer, LINES)
    first, second = read_at(encoder, PROBLEM, STEPS[:2])
    assert first.removeprefix("<s>").lstrip() == "What is two and two? We add two and two. ки"
    assert second == f"{first}\nThe sum is four. ки"
    ids, ends = encoder.path_ids(PROBLEM, STEPS)
    assert ends[-1] == len(ids) - 1  # nothing follows the last tag


def test_a_tag_or_a_line_end_within_a_step_is_read_over() -> None:
    encoder = MathShepherdEncoder(byte_level(), LINES)
    first, second = read_at(encoder, PROBLEM, ["I say ки\nки and go on.", "ки"])
    assert first.endswith("two? I say ки\nки and go on. ки")
    assert second == f"{first}\nки ки"


def test_rlhflow_reads_where_the_answer_to_each_step_is_foretold() -> None:
    encoder = RLHFlowEncoder(chat(), LINES)
    first, second, third = read_at(encoder, PROBLEM, STEPS)
    assert first == ("<|im_start|>user\nWhat is two and two? We add two and two.<|im_end|>\n<|im_start|>assistant\n")
    assert second == f"{first}+<|im_end|>\n<|im_start|>user\nThe sum is four.<|im_end|>\n<|im_start|>assistant\n"
    assert third.count("+<|im_end|>") == 2  # all steps before are taken for right


def test_a_text_has_one_start_whoever_puts_it_there() -> None:
    tokenizer = sentencepiece()  # which puts <s> before every text
    tokenizer.chat_template = "{{ bos_token }}" + CHATML
    for encoder in (MathShepherdEncoder(tokenizer, LINES), RLHFlowEncoder(tokenizer, LINES)):
        ids, _ = encoder.path_ids(PROBLEM, STEPS)
        assert [at for at, token in enumerate(ids) if token == tokenizer.bos_token_id] == [0]


LAST_TURN = "{% for m in messages[-1:] %}{{ m['role'] + m['content'] }}{% endfor %}"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (LAST_TURN, "the chat template does not only append turns. The adapter belongs to another model"),
        (None, "the tokenizer has no chat template. The folder is not complete, or the adapter belongs to another"),
    ],
)
def test_a_chat_that_rlhflow_cannot_hold_is_refused(template: str | None, message: str) -> None:
    with pytest.raises(InputError, match=message.replace(".", r"\.")):
        RLHFlowEncoder(chat(template), LINES).path_ids(PROBLEM, STEPS)


def joining() -> PreTrainedTokenizerBase:
    """A tokenizer that has learned the tag and the line end behind it as one token."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=270, initial_alphabet=alphabet, show_progress=False)
    tokenizer.train_from_iterator(["ки\n"] * 9, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer)


def test_a_tokenizer_that_joins_the_end_of_a_step_with_the_next_one_is_refused() -> None:
    encoder = MathShepherdEncoder(joining(), LINES)
    assert len(encoder.path_ids(PROBLEM, STEPS[:1])[1]) == 1  # nothing follows the only tag
    with pytest.raises(
        InputError, match=r"joins the end of a step with what follows it, got 'ки\\n'\. The adapter belongs to another"
    ):
        encoder.path_ids(PROBLEM, STEPS[:2])


@pytest.mark.parametrize("kind", [MathShepherdEncoder, RLHFlowEncoder])
def test_before_the_first_step_there_is_nothing_to_read(kind: type[StepEncoder]) -> None:
    assert kind(chat(), LINES).path_ids(PROBLEM, []) == ([], [])


@pytest.mark.parametrize("adapter", KINDS)
def test_a_tokenisation_is_append_only(adapter: Adapter, tmp_path: Path) -> None:
    KINDS[adapter](tmp_path)
    encoder = read_prm(str(tmp_path), adapter).encoder
    whole, ends = encoder.path_ids(PROBLEM, STEPS)
    for count in (1, 2):
        ids, begin = encoder.path_ids(PROBLEM, STEPS[:count])
        assert ids == whole[: len(ids)]
        assert begin == ends[:count]
        assert ends[count - 1] == len(ids) - 1


@pytest.mark.parametrize("adapter", KINDS)
def test_text_that_spells_a_special_token_does_not_become_one(adapter: Adapter, tmp_path: Path) -> None:
    KINDS[adapter](tmp_path)
    encoder = read_prm(str(tmp_path), adapter).encoder
    for special in encoder.tokenizer.all_special_tokens:
        token = encoder.tokenizer.convert_tokens_to_ids(special)
        plain = encoder.path_ids(PROBLEM, ["x"])[0].count(token)
        assert encoder.path_ids(PROBLEM, [f"x {special} x"])[0].count(token) == plain, special
        spelled = Problem(id="q", prompt=f"What is {special}?")
        assert encoder.path_ids(spelled, ["x"])[0].count(token) == plain, special
