from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, models, normalizers, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from prmkit.packing.ids import unpacked
from prmkit.packing.words import _CUTS, Words, cuts_at_words
from tests.tiny import tiny_sentencepiece_tokenizer, tiny_tokenizer

TEXTS = [
    "Step 1: Janet's 3 hours + 5 hours = <<3+5=8>>8 hours. It's $40*3.",
    "x_1 = 2x+3y, f(x)=\\frac{12}{34}; don't WE'LL 1990's 3rd 2nd",
    "def f(n): return n**2 # 0.5% of 12,345",
    "the the the 11 11 111 1111",
] * 3


def split(pattern: str) -> pre_tokenizers.PreTokenizer:
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(pattern), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False)
DIGITS = pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), BYTES])


def trained(rule: pre_tokenizers.PreTokenizer, **options: object) -> PreTrainedTokenizerFast:
    """A byte-level BPE that merges whatever its pattern lets it."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = rule
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    raw.train_from_iterator(TEXTS, trainers.BpeTrainer(vocab_size=600, initial_alphabet=alphabet, show_progress=False))
    return PreTrainedTokenizerFast(tokenizer_object=raw, **options)


KNOWN = [trained(split(pattern)) for pattern in sorted(_CUTS)] + [trained(BYTES), trained(DIGITS)]


def ids(words: Words, texts: list[str]) -> list[list[int]]:
    return [unpacked(found) for found in words.packed(texts)]


def plain(tokenizer: PreTrainedTokenizerBase, texts: list[str]) -> list[list[int]]:
    return [tokenizer(text, add_special_tokens=False, split_special_tokens=True)["input_ids"] for text in texts]


@pytest.mark.parametrize("tokenizer", KNOWN)
def test_real_looking_texts_have_the_tokenizers_ids(tokenizer: PreTrainedTokenizerBase) -> None:
    assert cuts_at_words(tokenizer)
    words = Words(tokenizer)
    assert ids(words, TEXTS) == plain(tokenizer, TEXTS)
    assert ids(words, TEXTS[::-1]) == plain(tokenizer, TEXTS[::-1])  # from what it remembers now


@given(st.lists(st.text(st.sampled_from(" '’+-=<>$./\\{}_019aAzZstrevmldé٣\n\t\r\x1c\xa0"), max_size=24), max_size=8))
def test_any_texts_have_the_tokenizers_ids(texts: list[str]) -> None:
    for tokenizer in KNOWN:
        assert ids(Words(tokenizer), texts) == plain(tokenizer, texts)


@given(st.lists(st.text(st.characters(max_codepoint=127), max_size=24), max_size=8))
def test_any_ascii_has_the_tokenizers_ids(texts: list[str]) -> None:
    for tokenizer in KNOWN:
        assert ids(Words(tokenizer), texts) == plain(tokenizer, texts)


def test_texts_may_spell_tokens() -> None:
    tokenizer = trained(BYTES, eos_token="<eos>")
    tokenizer.add_tokens([AddedToken(text, special=False) for text in ("<call>", "   ", "12")])
    assert cuts_at_words(tokenizer)
    texts = ["a <eos> b", "a<eos>", "use <call> 5", "x<call>y 5<call>", "a   b", "a12 121 4312"]
    assert ids(Words(tokenizer), texts) == plain(tokenizer, texts)


def test_a_word_is_tokenised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    words = Words(trained(BYTES))
    asked: list[str] = []
    tokenised = words._tokenised
    monkeypatch.setattr(words, "_tokenised", lambda texts: asked.extend(texts) or tokenised(texts))
    words.packed(["the cat 12", "the cat 12"])
    words.packed(["a cat"])
    words.packed(["12cat 12cat"])
    assert sorted(asked) == [" 12", " cat", "12", "a", "cat", "the"]


def test_the_tokenizer_is_left_as_it_was() -> None:
    tokenizer = trained(BYTES, eos_token="<eos>")
    before = tokenizer("a<eos>")["input_ids"]
    words = Words(tokenizer)
    assert ids(words, ["a<eos>"])[0] != before
    assert tokenizer("a<eos>")["input_ids"] == before
    tokenizer(["a b c", "a"], truncation=True, max_length=2)
    assert ids(words, ["a b c"]) == plain(tokenizer, ["a b c"])


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prmkit.packing.words._REMEMBERED", 4)
    tokenizer = trained(BYTES)
    words = Words(tokenizer)
    for start in range(0, 60, 3):
        texts = [f"a{number} b{number} b{number}c 7" for number in range(start, start + 3)]
        assert ids(words, texts) == plain(tokenizer, texts)
    assert len(words._words) <= 10  # those of the last texts


def normalised() -> PreTrainedTokenizerBase:
    tokenizer = trained(BYTES)
    tokenizer.backend_tokenizer.normalizer = normalizers.Replace(" ", "_")
    return tokenizer


def with_added(token: AddedToken) -> PreTrainedTokenizerBase:
    tokenizer = trained(BYTES)
    tokenizer.add_tokens([token])
    return tokenizer


@pytest.mark.parametrize(
    "make",
    [
        tiny_tokenizer,
        tiny_sentencepiece_tokenizer,
        normalised,
        lambda: trained(split(r"\S+\s?|\s+")),
        lambda: trained(pre_tokenizers.ByteLevel(add_prefix_space=True)),
        lambda: trained(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)),
        lambda: with_added(AddedToken("<call>", rstrip=True, special=False)),
        lambda: with_added(AddedToken("two words", special=False)),
        lambda: with_added(AddedToken("12", single_word=True, special=False)),
        lambda: with_added(AddedToken("a1", special=False)),
    ],
)
def test_other_tokenizers_are_asked_for_whole_texts(make: Callable[[], PreTrainedTokenizerBase]) -> None:
    assert not cuts_at_words(make())
