"""Models and tokenizers small enough to be made in a test."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat
from prmkit.packing.rows import EncodedTrees, RowShape, encode_trees
from prmkit.tree import Label, Problem, StepTree

_WORDS = ("<pad>", "<eos>", "<unk>", "\n", *map(str, range(20)), *"abcdefxyz+-*/=?#!", "good", "bad", "maybe")


def tiny_tokenizer() -> PreTrainedTokenizerBase:
    """Words separated by single spaces, and the line end, each one token."""
    tokenizer = Tokenizer(models.WordLevel({word: index for index, word in enumerate(_WORDS)}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Split("\n", "isolated"), pre_tokenizers.Split(" ", "removed")]
    )
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>")


_LINES = ["We add two and two.\nThe sum is four.\n", "So the answer is four.\nWe are done.\n"] * 4


def tiny_bpe_tokenizer(
    special: Sequence[str] = ("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    added: Sequence[str] = (),
    *,
    alphabet: Sequence[str] | None = None,
    **named: str,
) -> PreTrainedTokenizerBase:
    """Byte-level BPE, by default with Qwen's chat tokens, which merges a full stop and a line end as Qwen's does.

    Args:
        special: special tokens.
        added: tokens besides that are whole and no special ones, such as Qwen3's <think>.
        alphabet: its single letters, as byte-level BPE spells them; default: all bytes.
        named: which is which, such as ``bos_token``.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=317 + len(special),
        special_tokens=[AddedToken(text, special=True) for text in special],
        initial_alphabet=alphabet or pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_LINES, trainer)
    tokenizer.add_tokens([AddedToken(text, special=False, normalized=False) for text in added])
    named = named or {"pad_token": "<|endoftext|>", "eos_token": "<|im_end|>"}
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **named)


def tiny_sentencepiece_tokenizer(
    special: Sequence[str] = (), *, marks: Literal["beginning", "pieces"] = "beginning"
) -> PreTrainedTokenizerBase:
    """BPE as SentencePiece writes it: a blank is ▁, what has no token is spelled in bytes, and a text begins with ▁.

    Args:
        special: special tokens besides <unk>, <s> and </s>.
        marks: where a ▁ is put in front: at the beginning of a text alone, as in newer files, or of every piece between
            special tokens too, as in those of Llama 2.
    """
    first = ("<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)))
    learned = Tokenizer(models.BPE())
    learned.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    trainer = trainers.BpeTrainer(vocab_size=60, show_progress=False)
    learned.train_from_iterator([line for lines in _LINES for line in lines.splitlines()], trainer)
    written = json.loads(learned.to_str())["model"]
    vocabulary = {text: number for number, text in enumerate([*first, *written["vocab"]])}
    merges = [tuple(merge) for merge in written["merges"]]
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    if marks == "beginning":
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    else:
        tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    blanks = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    tokenizer.decoder = decoders.Sequence(blanks)
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in (*first[:3], *special)])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", unk_token="<unk>", pad_token="</s>"
    )


def tiny_backbone(
    folder: Path,
    *,
    tokenizer: PreTrainedTokenizerBase | None = None,
    vocab_size: int | None = None,
    context: int = 256,
    heads: int = 2,
    kv_heads: int = 1,
) -> str:
    """The name of a folder with a random Qwen2 causal LM (hidden 32, 2 layers) and its tokenizer.

    vLLM's CPU kernels know no attention head narrower than 32: for it, ``heads`` is 1.
    """
    tokenizer = tokenizer or tiny_tokenizer()
    config = AutoConfig.for_model(
        "qwen2",
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=heads,
        num_key_value_heads=kv_heads,
        intermediate_size=64,
        max_position_embeddings=context,
        vocab_size=vocab_size or len(tokenizer),
        pad_token_id=tokenizer.pad_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


def tiny_encoder() -> StepEncoder:
    """The encoder of ``tiny_tokenizer``, plain format: a problem is its words and a line end, a step likewise."""
    return StepEncoder(tiny_tokenizer(), StepFormat())


def human(value: float) -> Label:
    """A label by a person."""
    return Label(value=value, source="human")


def path_tree(prompt: str, steps: list[tuple[str, float | None]]) -> StepTree:
    """A tree of one path, its steps given as (text, label value)."""
    return StepTree.from_steps(
        Problem(id=prompt, prompt=prompt),
        [text for text, _ in steps],
        [None if value is None else human(value) for _, value in steps],
    )


def tree_rows(tree: StepTree, encoder: StepEncoder, max_length: int, **shape: object) -> EncodedTrees:
    """The rows of one tree."""
    return encode_trees([tree], encoder, RowShape(max_length=max_length, **shape))  # type: ignore[arg-type]
