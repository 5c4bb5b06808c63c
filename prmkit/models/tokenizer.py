"""Loading of tokenizers. Without torch, so that who only tokenises does not wait for it."""

from pathlib import Path

from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from prmkit.errors import InputError
from prmkit.models.causes import refusals
from prmkit.models.folder import check_folder
from prmkit.models.names import model_folder


def load_tokenizer(name: str) -> PreTrainedTokenizerBase:
    """The tokenizer of a model: the one of its ``tokenizer.json``, where there is such a file.

    Args:
        name: local folder, ``org/name`` or ``org/name@revision``. Code that comes with it is never run.

    Raises:
        InputError: there is none, or it cannot be read.
    """
    folder = model_folder(name, weights=False)
    check_folder(folder, name)
    with refusals("tokenizer", name, folder):
        # AutoTokenizer gives every folder with a Qwen2 config Qwen's own splitting rules, whatever the folder says, so
        # that a tokenizer could come back from a checkpoint as another one.
        complete = (folder / "tokenizer.json").is_file()
        tokenizer = PreTrainedTokenizerFast.from_pretrained(folder) if complete else _made_from_others(folder)
    tokenizer.name_or_path = name
    if len(tokenizer) <= len(tokenizer.all_special_ids):
        # What AutoTokenizer makes up where it finds no tokenizer file.
        raise InputError("the model has no tokenizer", where=name, expected="a folder with tokenizer.json")
    return tokenizer


def _made_from_others(folder: Path) -> PreTrainedTokenizerBase:
    """A tokenizer of other files than ``tokenizer.json``."""
    from transformers import AutoTokenizer  # brings torch

    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    return tokenizer
