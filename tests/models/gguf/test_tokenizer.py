from pathlib import Path
from typing import Any

import gguf
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from prmkit.errors import InputError
from prmkit.models.gguf.header import Header, read_header
from prmkit.models.gguf.tokenizer import end_ids, load_gguf_tokenizer
from prmkit.models.tokenizer import load_tokenizer
from tests.models.gguf.files import CHAT, add, add_tokenizer, tiny_config

GPT_2 = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
QWEN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA_3 = QWEN.replace(r"\p{N}|", r"\p{N}{1,3}|", 1)


def by_regex(regex: str) -> pre_tokenizers.PreTokenizer:
    """As the tokenizer.json of Qwen2.5 and Llama 3 have it."""
    split = pre_tokenizers.Split(Regex(regex), "isolated", invert=False)
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def original(splitting: pre_tokenizers.PreTokenizer, *, whole_words: bool = False) -> PreTrainedTokenizerBase:
    """A byte-level tokenizer that merges whatever its splitting lets it: blanks, line ends, digits, words."""
    vocabulary = {text: index for index, text in enumerate(("<|endoftext|>", "<|im_start|>", "<|im_end|>"))}
    for letter in sorted(pre_tokenizers.ByteLevel.alphabet()):
        vocabulary[letter] = len(vocabulary)
    merges = [
        ("Ċ", "Ċ"),
        ("Ġ", "Ġ"),
        ("1", "2"),
        ("12", "3"),
        ("Ġ", "1"),
        ("a", "b"),
        ("Ġ", "ab"),
        (".", "Ċ"),
        (".", "ĊĊ"),
    ]
    for pair in merges:
        vocabulary["".join(pair)] = len(vocabulary)
    vocabulary["cd"] = len(vocabulary)  # a word that no merge leads to
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=whole_words))
    tokenizer.pre_tokenizer = splitting
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(word, special=True) for word in list(vocabulary)[:3]])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|im_start|>", eos_token="<|im_end|>", pad_token="<|endoftext|>"
    )


def written(path: Path, tokenizer: PreTrainedTokenizerBase, without: tuple[str, ...] = (), **keys: Any) -> Header:
    writer = gguf.GGUFWriter(None, "llama")
    add_tokenizer(writer, tokenizer, (*without, *keys))
    for key, value in keys.items():
        add(writer, f"tokenizer.ggml.{key}", value)
    writer.write_header_to_file(path)
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return read_header(path)


def read(header: Header) -> PreTrainedTokenizerBase:
    return load_gguf_tokenizer(str(header.path.parent), header.path.name, header)


ORIGINALS = {
    "gpt-2": original(GPT_2),
    # As SmolLM2's tokenizer.json has it.
    "smollm": original(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), GPT_2])),
    "qwen2": original(by_regex(QWEN)),
    "llama-bpe": original(by_regex(LLAMA_3), whole_words=True),
}
ORIGINALS["qwen2"].backend_tokenizer.normalizer = normalizers.NFC()
TEXTS = st.text(alphabet="ab cd.\n\r\t123'sé e\u0301½漢<|>", max_size=24)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> dict[str, PreTrainedTokenizerBase]:
    folder = tmp_path_factory.mktemp("tokenizers")
    return {name: read(written(folder / f"{name}.gguf", one, pre=name)) for name, one in ORIGINALS.items()}


@pytest.mark.parametrize("name", ORIGINALS)
@given(text=TEXTS)
@example(text="a.\n\n12 123\n\n3ab cd  ab\n\ncd")
@example(text="e\u0301")
@example(text="<|im_start|>ab<|im_end|>")
def test_texts_are_split_as_the_original_splits_them(
    name: str, text: str, imported: dict[str, PreTrainedTokenizerBase]
) -> None:
    ids = ORIGINALS[name](text, add_special_tokens=False)["input_ids"]
    assert imported[name](text, add_special_tokens=False)["input_ids"] == ids
    assert imported[name].decode(ids) == ORIGINALS[name].decode(ids)


def test_the_splittings_differ(imported: dict[str, PreTrainedTokenizerBase]) -> None:
    """Or the test above would find nothing."""

    def pieces(name: str, text: str) -> list[str]:
        return imported[name].tokenize(text)

    assert pieces("gpt-2", "123") == ["123"]
    assert pieces("smollm", "123") == pieces("qwen2", "123") == ["1", "2", "3"]
    assert (pieces("gpt-2", "\n\n1"), pieces("smollm", "\n\n1")) == (["Ċ", "Ċ", "1"], ["ĊĊ", "1"])
    assert (pieces("smollm", "a.\n\n"), pieces("qwen2", "a.\n\n")) == (["a", ".", "ĊĊ"], ["a", ".ĊĊ"])
    assert (pieces("gpt-2", "cd"), pieces("llama-bpe", "cd")) == (["c", "d"], ["cd"])
    assert len(pieces("qwen2", "e\u0301")) < len(pieces("gpt-2", "e\u0301"))


@pytest.mark.parametrize("name", ORIGINALS)
def test_what_is_saved_is_what_was_read(
    name: str, imported: dict[str, PreTrainedTokenizerBase], tmp_path: Path
) -> None:
    tokenizer = imported[name]
    tokenizer.save_pretrained(tmp_path)
    tiny_config("qwen2" if name == "qwen2" else "llama").save_pretrained(tmp_path)
    text = "a.\n\n12 123\n\n3ab cd  ab\n\ncd"
    for again in (load_tokenizer(str(tmp_path)), AutoTokenizer.from_pretrained(tmp_path)):
        for special in (False, True):
            encoded = tokenizer(text, add_special_tokens=special)["input_ids"]
            assert again(text, add_special_tokens=special)["input_ids"] == encoded
        assert again.chat_template == CHAT
        assert (again.eos_token, again.pad_token) == ("<|im_end|>", "<|endoftext|>")
        assert again.all_special_ids == tokenizer.all_special_ids


@pytest.mark.parametrize(
    ("keys", "begins"),
    [
        ({"pre": "gpt-2"}, False),
        ({"pre": "gpt-2", "add_bos_token": True}, True),
        ({"pre": "llama-bpe"}, True),
        ({"pre": "llama-bpe", "add_bos_token": False}, False),
    ],
)
def test_a_text_begins_as_the_file_says(keys: dict[str, Any], begins: bool, tmp_path: Path) -> None:
    tokenizer = read(written(tmp_path / "a.gguf", ORIGINALS["gpt-2"], bos_token_id=1, **keys))
    assert (tokenizer("ab")["input_ids"][0] == 1) == begins
    assert tokenizer("ab", add_special_tokens=False)["input_ids"][0] != 1
    assert (tokenizer("ab", "ab")["input_ids"].count(1) == 2) == begins


@pytest.mark.parametrize("blank", [None, True, False])
def test_a_sentencepiece_vocabulary(blank: bool | None, tmp_path: Path) -> None:
    words = ["<unk>", "<s>", "</s>", "▁", "a", "b", "ab", "▁ab", "<0x0A>"]
    scores = [0.0, 0.0, 0.0, -9.0, -8.0, -7.0, -1.0, -2.0, 0.0]
    writer = gguf.GGUFWriter(None, "llama")
    keys: dict[str, Any] = {"model": "llama", "pre": "default", "tokens": words, "scores": scores}
    keys |= {"token_type": [2, 3, 3, 1, 1, 1, 1, 1, 6], "bos_token_id": 1, "eos_token_id": 2, "unknown_token_id": 0}
    for key, value in (keys if blank is None else keys | {"add_space_prefix": blank}).items():
        add(writer, f"tokenizer.ggml.{key}", value)
    writer.write_header_to_file(tmp_path / "a.gguf")
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    tokenizer = read(read_header(tmp_path / "a.gguf"))
    first = "ab" if blank is False else "▁ab"
    assert tokenizer.tokenize("ab ab\n") == [first, "▁ab", "<0x0A>"]
    assert tokenizer("ab")["input_ids"] == [1, words.index(first)]
    assert tokenizer.decode(tokenizer("ab ab\n", add_special_tokens=False)["input_ids"]) == "ab ab\n"
    assert end_ids(read_header(tmp_path / "a.gguf")) == [2]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({}, [2, 0]),  # <|im_end|> as the file says, and <|endoftext|>
        ({"eos_token_id": 0}, [0, 2]),
        ({"eos_token_id": 0, "eot_token_id": 2}, [0, 2]),
        ({"eot_token_id": 5, "eom_token_id": 7}, [2, 5, 7, 0]),
        ({"token_type": [1] * 300}, [2]),  # words that look like ends are text where they are no control tokens
    ],
)
def test_ends_are_what_the_file_names_and_what_ends_a_turn(
    keys: dict[str, Any], expected: list[int], tmp_path: Path
) -> None:
    assert end_ids(written(tmp_path / "a.gguf", ORIGINALS["gpt-2"], **keys)) == expected


def test_the_end_of_a_part_of_an_answer_is_no_end(tmp_path: Path) -> None:
    keys: dict[str, Any] = {"tokens": ["a", "<|end|>", "<|return|>"], "token_type": [1, 3, 3], "eos_token_id": 2}
    assert end_ids(written(tmp_path / "a.gguf", ORIGINALS["gpt-2"], **keys)) == [2]
    keys["tokens"][2] = "<|other|>"
    assert end_ids(written(tmp_path / "b.gguf", ORIGINALS["gpt-2"], **keys)) == [2, 1]


@pytest.mark.parametrize("name", ["eos_token_id", "eot_token_id"])
def test_an_end_outside_of_the_vocabulary_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="none of the vocabulary"):
        end_ids(written(tmp_path / "a.gguf", ORIGINALS["gpt-2"], **{name: 100_000}))


def test_a_vocabulary_without_an_end_is_refused(tmp_path: Path) -> None:
    header = written(tmp_path / "a.gguf", ORIGINALS["gpt-2"], ("eos_token_id", "token_type"))
    with pytest.raises(InputError, match="no token that ends a text"):
        end_ids(header)


@pytest.mark.parametrize(
    ("without", "keys", "complaint"),
    [
        (("tokens",), {}, "the file has no tokenizer"),
        (("pre",), {}, "splits texts in a way that is not known here, got None"),
        ((), {"pre": "default"}, "got 'default'; expected .*qwen2.*smollm"),
        ((), {"pre": 3}, "a wrong type of tokenizer.ggml.pre"),
        ((), {"merges": ["a b", "b a"]}, "a merge of the tokenizer leads to no token, got 'b a'"),
        ((), {"merges": ["ab"]}, "leads to no token, got 'ab'"),
        ((), {"merges": ["a  b"]}, "leads to no token, got 'a  b'"),
    ],
)
def test_a_tokenizer_that_would_go_wrong_is_refused(
    without: tuple[str, ...], keys: dict[str, Any], complaint: str, tmp_path: Path
) -> None:
    header = written(tmp_path / "a.gguf", ORIGINALS["gpt-2"], without, **keys)
    with pytest.raises(InputError, match=complaint):
        read(header)
