"""Which tokens end a solution."""

from transformers import GenerationConfig, PretrainedConfig, PreTrainedTokenizerBase

from prmkit.errors import InputError
from prmkit.packing.prompt import Prompter

_REPLY = "the-answer-stands-here-6f1d"


def declared_ends(
    config: GenerationConfig | PretrainedConfig | None, tokenizer: PreTrainedTokenizerBase
) -> tuple[int, ...]:
    """Every id that is said to end a sequence, each once: the config's (chat models list several), the tokenizer's.

    Args:
        config: the model's generation config, or else its own, if there is one.
        tokenizer: the model's.
    """
    declared = config.eos_token_id if config is not None else None
    listed = declared if isinstance(declared, list) else [declared]
    return tuple(dict.fromkeys(token for token in [*listed, tokenizer.eos_token_id] if token is not None))


def turn_end(tokenizer: PreTrainedTokenizerBase, prompter: Prompter) -> int | None:
    """The special token that ends an answer in the chat template; None where none does, or the template does not say.

    A model's own list of end tokens may lack it: a base model whose tokenizer has a chat template, a converted file.
    """
    if prompter.template != "chat":
        return None
    try:
        text = prompter.answered("?", _REPLY)
    except InputError:
        return None
    behind = text.partition(_REPLY)[2].lstrip()
    ids = list(tokenizer(behind, add_special_tokens=False)["input_ids"])
    return ids[0] if ids and str(tokenizer.decode(ids[:1])) in prompter.special else None
