"""Loading of tokenizers. Without torch, so that who only tokenises does not wait for it."""

from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast
from transformers.utils.hub import cached_file

from prmkit.errors import InputError
from prmkit.models.names import refuse_missing_folder, unloadable


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a local folder or hub id: the one of its ``tokenizer.json``, where there is such a file.

    Raises:
        InputError: there is none.
    """
    refuse_missing_folder(name)
    try:
        # AutoTokenizer gives every folder with a Qwen2 config Qwen's own splitting rules, whatever the folder says, so
        # that a tokenizer could come back from a checkpoint as another one.
        complete = cached_file(name, "tokenizer.json", _raise_exceptions_for_missing_entries=False) is not None
        tokenizer = PreTrainedTokenizerFast.from_pretrained(name) if complete else _made_from_others(name)
    except (OSError, ValueError, KeyError) as error:
        raise unloadable("tokenizer", name, error) from None
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        # What AutoTokenizer makes up where it finds no tokenizer file.
        raise InputError("the model has no tokenizer", where=name, expected="a folder with tokenizer.json")
    return tokenizer


def _made_from_others(name: str) -> PreTrainedTokenizerBase:
    """A tokenizer of other files than ``tokenizer.json``."""
    from transformers import AutoTokenizer  # brings torch

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(name)
    return tokenizer
