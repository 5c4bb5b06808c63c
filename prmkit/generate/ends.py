"""Which tokens end a solution."""

from transformers import GenerationConfig, PreTrainedTokenizerBase

from prmkit.errors import InputError
from prmkit.packing.prompt import Prompter

_REPLY = "the-answer-stands-here-6f1d"


def declared_ends(generation: GenerationConfig | None, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """Every id that is said to end a sequence: the tokenizer's and the generation config's (chat models list several).

    Args:
        generation: the model's, if it has one.
        tokenizer: the model's.
    """
    declared = generation.eos_token_id if generation is not None else None
    listed = declared if isinstance(declared, list) else [declared]
    return frozenset(token for token in [*listed, tokenizer.eos_token_id] if token is not None)


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
