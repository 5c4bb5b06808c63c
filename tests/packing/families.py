"""The chat templates of model families, shortened to what one turn of a user needs, each with a small tokenizer."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from tests.tiny import tiny_bpe_tokenizer, tiny_sentencepiece_tokenizer

DAY = "2026-11-29"
TEMPLATES = Path(__file__).with_name("templates")

_QWEN = partial(tiny_bpe_tokenizer, pad_token="<|endoftext|>", eos_token="<|im_end|>")
_LLAMA = partial(
    tiny_bpe_tokenizer,
    ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"),
    bos_token="<|begin_of_text|>",
    eos_token="<|eot_id|>",
)
_PHI = partial(
    tiny_bpe_tokenizer,
    ("<|endoftext|>", "<|im_start|>", "<|im_sep|>", "<|im_end|>"),
    bos_token="<|endoftext|>",
    eos_token="<|im_end|>",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """How one kind of model is asked.

    Args:
        make: its tokenizer.
        first: the prompt of "What is 2+2?", which the model's own code sends; bos spelled out.
        tells_date: whether the template tells the date, which is DAY in ``first``.
        trims: whether it takes the white space around a problem away.
        extra: special tokens that stand in no first prompt.
    """

    make: Callable[[], PreTrainedTokenizerBase]
    first: str
    tells_date: bool = False
    trims: bool = False
    template: str = ""
    extra: Sequence[str] = field(default=())


FAMILIES = {
    "qwen2.5": Family(
        make=_QWEN,
        first="<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful assistant.<|im_end|>\n"
        "<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n",
    ),
    "qwen3": Family(
        make=partial(_QWEN, added=("<think>", "</think>")),
        first="<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n",
    ),
    "qwq": Family(make=_QWEN, first="<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n<think>\n"),
    "llama3.1": Family(
        make=_LLAMA,
        first="<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
        "Today Date: 26 Jul 2024\n\n<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWhat is 2+2?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        trims=True,
    ),
    "llama3.2": Family(
        make=_LLAMA,
        first="<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date: December 2023\n"
        "Today Date: 29 Nov 2026\n\n<|eot_id|><|start_header_id|>user<|end_header_id|>\n\nWhat is 2+2?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n",
        tells_date=True,
        trims=True,
    ),
    "llama2": Family(
        make=partial(tiny_sentencepiece_tokenizer, marks="pieces"), first="<s>[INST] What is 2+2? [/INST]", trims=True
    ),
    # Old files of Mistral spell [INST] as text, later ones have tokens for it.
    "mistral": Family(make=tiny_sentencepiece_tokenizer, first="<s>[INST] What is 2+2?[/INST]"),
    "mistral-tokens": Family(
        make=partial(tiny_sentencepiece_tokenizer, ("[INST]", "[/INST]")),
        first="<s>[INST] What is 2+2?[/INST]",
        template="mistral",
    ),
    "gemma": Family(
        make=partial(tiny_sentencepiece_tokenizer, ("<start_of_turn>", "<end_of_turn>")),
        first="<s><start_of_turn>user\nWhat is 2+2?<end_of_turn>\n<start_of_turn>model\n",
        trims=True,
    ),
    "deepseek-r1": Family(
        make=partial(
            tiny_bpe_tokenizer,
            ("<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>", "<｜User｜>", "<｜Assistant｜>"),
            added=("<think>", "</think>"),
            bos_token="<｜begin▁of▁sentence｜>",
            eos_token="<｜end▁of▁sentence｜>",
        ),
        first="<｜begin▁of▁sentence｜><｜User｜>What is 2+2?<｜Assistant｜><think>\n",
        extra=("<｜end▁of▁sentence｜>",),
    ),
    "smollm2": Family(
        make=partial(tiny_bpe_tokenizer, bos_token="<|im_start|>", eos_token="<|im_end|>"),
        first="<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
        "<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n",
    ),
    "smollm3": Family(
        make=partial(_QWEN, added=("<think>", "</think>")),
        first="<|im_start|>system\n## Metadata\n\nKnowledge Cutoff Date: June 2025\nToday Date: 29 November 2026\n"
        "Reasoning Mode: /think\n\n## Custom Instructions\n\nYou are a helpful AI assistant named SmolLM.\n\n"
        "<|im_end|>\n<|im_start|>user\nWhat is 2+2?<|im_end|>\n<|im_start|>assistant\n",
        tells_date=True,
    ),
    "phi-4": Family(make=_PHI, first="<|im_start|>user<|im_sep|>What is 2+2?<|im_end|><|im_start|>assistant<|im_sep|>"),
    "phi-4-reasoning": Family(
        make=partial(_PHI, added=("<think>", "</think>")),
        first="<|im_start|>system<|im_sep|>You are Phi, a language model trained by Microsoft. Please structure your "
        "response into two main sections: Thought and Solution using the specified format: <think> {Thought section} "
        "</think> {Solution section}.<|im_end|><|im_start|>user<|im_sep|>What is 2+2?<|im_end|>"
        "<|im_start|>assistant<|im_sep|>",
    ),
    "gpt-oss": Family(
        make=partial(
            tiny_bpe_tokenizer,
            ("<|startoftext|>", "<|return|>", "<|start|>", "<|end|>", "<|channel|>", "<|message|>"),
            bos_token="<|startoftext|>",
            eos_token="<|return|>",
        ),
        first="<|start|>system<|message|>You are ChatGPT, a large language model trained by OpenAI.\n"
        "Knowledge cutoff: 2024-06\nCurrent date: 2026-11-29\n\nReasoning: medium\n\n"
        "# Valid channels: analysis, commentary, final. Channel must be included for every message.<|end|>"
        "<|start|>user<|message|>What is 2+2?<|end|><|start|>assistant",
        tells_date=True,
        extra=("<|channel|>", "<|return|>"),
    ),
    "magistral": Family(
        make=partial(
            tiny_bpe_tokenizer,
            ("<s>", "</s>", "[INST]", "[/INST]", "[SYSTEM_PROMPT]", "[/SYSTEM_PROMPT]", "[THINK]", "[/THINK]"),
            bos_token="<s>",
            eos_token="</s>",
        ),
        first="<s>[SYSTEM_PROMPT]First draft your thinking process. Format: [THINK]Your thoughts[/THINK]Your answer."
        "[/SYSTEM_PROMPT][INST]What is 2+2?[/INST]",
    ),
}


def source(name: str) -> str:
    """The chat template of a family."""
    return (TEMPLATES / f"{FAMILIES[name].template or name}.jinja").read_text(encoding="utf-8")


@cache
def tokenizer_of(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a family with its chat template; tests share it, so none may change it."""
    tokenizer = FAMILIES[name].make()
    tokenizer.chat_template = source(name)
    return tokenizer
