"""The tokenizer of a GGUF file, and the tokens that end a text.

transformers rebuilds vocabulary, merges and chat template. How a text is split into words before they are merged it
knows for some of the names that llama.cpp gives to that, and takes GPT-2's way for the others: SmolLM2's digits would
go wrong. So the splitting is set here, for every name, and an unknown one is refused.
"""

from dataclasses import dataclass
from typing import Any

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers, processors
from tokenizers import decoders as decoders_
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from prmkit.errors import InputError
from prmkit.models.gguf.header import Header

_CONTROL = 3
"""GGUF's number of tokens that are no text."""

_ENDS = ("<|im_end|>", "<|eot_id|>", "<|eom_id|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>")
"""Control tokens that end a turn or a text, whether or not a file says so."""

_QWEN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_LLAMA_3 = _QWEN.replace(r"|\p{N}|", r"|\p{N}{1,3}|")
_TEKKEN = (
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+"
    r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*"
    r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Splitting:
    """How byte-level BPE splits a text: by a regular expression, or by GPT-2's with digits on their own.

    ``whole_words`` are looked up before anything is merged, ``composed`` text is in Unicode's form C, ``bos`` says
    whether a text begins with the beginning token where the file does not say.
    """

    regex: str | None = None
    single_digits: bool = False
    whole_words: bool = False
    composed: bool = False
    bos: bool = False


_SPLITTINGS = {
    **dict.fromkeys(("gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "gigachat", "exaone4"), _Splitting()),
    **dict.fromkeys(
        ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"),
        _Splitting(single_digits=True),
    ),
    "qwen2": _Splitting(regex=_QWEN, composed=True),
    "deepseek-r1-qwen": _Splitting(regex=_QWEN),
    **dict.fromkeys(
        ("llama-bpe", "llama3", "llama-v3", "falcon3"), _Splitting(regex=_LLAMA_3, whole_words=True, bos=True)
    ),
    "tekken": _Splitting(regex=_TEKKEN, whole_words=True, bos=True),
}
"""By llama.cpp's names. Source: src/llama-vocab.cpp of llama.cpp, and the tokenizer.json of the models."""


def load_gguf_tokenizer(folder: str, file: str, header: Header) -> PreTrainedTokenizerBase:
    """The tokenizer of a GGUF file in a folder.

    Raises:
        InputError: the file has none, one that is broken, or one that splits texts in a way that is not known here.
    """
    if not header.value("tokenizer.ggml.tokens", list):
        raise InputError("the file has no tokenizer", where=header.path, got="no tokenizer.ggml.tokens")
    kind = header.value("tokenizer.ggml.model", str)
    splitting = _splitting(header) if kind == "gpt2" else None
    if splitting is not None:
        _check_merges(header)
    tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(folder, gguf_file=file)
    backend: Any = tokenizer.backend_tokenizer
    if splitting is not None:
        _split(backend, splitting)
    elif kind == "llama" and header.value("tokenizer.ggml.add_space_prefix", bool) is False:
        _begin_without_a_blank(backend)
    bos = header.value("tokenizer.ggml.add_bos_token", bool)
    _begin(backend, tokenizer, bos if bos is not None else splitting.bos if splitting is not None else True)
    return tokenizer


def end_ids(header: Header) -> list[int]:
    """The tokens that end a text: what the file names, then what is known to end a turn or a text, by their id.

    Raises:
        InputError: there is none, or the file names one that does not exist.
    """
    tokens = header.value("tokenizer.ggml.tokens", list) or []
    kinds = header.value("tokenizer.ggml.token_type", list) or []
    named = [header.value(f"tokenizer.ggml.{name}_token_id", int) for name in ("eos", "eot", "eom")]
    ends = list(dict.fromkeys(token for token in named if token is not None))
    if any(not 0 <= token < len(tokens) for token in ends):
        raise InputError("an end token is none of the vocabulary", where=header.path, got=ends)
    # Where an answer has several parts, as in OpenAI's harmony format, this one ends a part.
    only_parts = {"<|end|>"} if "<|return|>" in tokens else set()
    for token, (text, kind) in enumerate(zip(tokens, kinds, strict=False)):
        if kind == _CONTROL and text in _ENDS and text not in only_parts and token not in ends:
            ends.append(token)
    if not ends:
        raise InputError("the file names no token that ends a text", where=header.path, got="no eos_token_id")
    return ends


def _splitting(header: Header) -> _Splitting:
    name = header.value("tokenizer.ggml.pre", str)
    if name not in _SPLITTINGS:
        raise InputError(
            "the tokenizer splits texts in a way that is not known here",
            where=header.path,
            got=name,
            expected=", ".join(sorted(_SPLITTINGS)),
            cure="Use the model's original folder.",
        )
    return _SPLITTINGS[name]


def _check_merges(header: Header) -> None:
    """Every merge leads to a token. The tokenizers library ends in a panic of its own where one does not."""
    known = set(header.value("tokenizer.ggml.tokens", list) or [])
    for merge in header.value("tokenizer.ggml.merges", list) or []:
        if str(merge).count(" ") != 1 or str(merge).replace(" ", "") not in known:
            raise InputError("a merge of the tokenizer leads to no token", where=header.path, got=merge)


def _split(backend: Tokenizer, splitting: _Splitting) -> None:
    parts: list[Any] = [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=splitting.regex is None)]
    if splitting.regex is not None:
        parts.insert(0, pre_tokenizers.Split(Regex(splitting.regex), behavior="isolated"))
    if splitting.single_digits:
        parts.insert(0, pre_tokenizers.Digits(individual_digits=True))
    model: Any = backend.model
    model.ignore_merges = splitting.whole_words
    backend.model = model
    backend.pre_tokenizer = pre_tokenizers.Sequence(parts)
    if splitting.composed:
        backend.normalizer = normalizers.NFC()


def _begin_without_a_blank(backend: Any) -> None:
    """Words keep the blank before them, and a text is not given one. Gemma's tokenizers are built so already."""
    if isinstance(backend.pre_tokenizer, pre_tokenizers.Metaspace):
        backend.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never", split=False)
        backend.decoder = decoders_.Sequence([decoders_.Replace("▁", " "), decoders_.ByteFallback(), decoders_.Fuse()])


def _begin(backend: Any, tokenizer: PreTrainedTokenizerBase, bos: bool) -> None:
    """A text begins with the beginning token, or with nothing."""
    token = tokenizer.bos_token
    special = [(str(token), tokenizer.bos_token_id)] if bos and token is not None else []
    before = f"{token}:0 " if special else ""
    second = before.replace(":0", ":1")
    backend.post_processor = processors.TemplateProcessing(
        single=f"{before}$A:0", pair=f"{before}$A:0 {second}$B:1", special_tokens=special
    )
