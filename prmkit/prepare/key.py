"""What decides the token rows of a corpus, and nothing else: rows are used again where all of it is the same."""

import hashlib
import inspect
import json
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tokenizers
import transformers
from pydantic_core import from_json, to_json
from transformers import PreTrainedTokenizerBase

import prmkit
from prmkit.packing.encode import StepEncoder
from prmkit.packing.rows import RowShape
from prmkit.run.files import sha256
from prmkit.run.record import code_hash
from prmkit.sources.corpus import Corpus

Key = dict[str, Any]
"""As it is read from JSON."""

_CODE = (
    "packing",
    "prepare",
    "sources",
    "columns.py",
    "digits.py",
    "json_io.py",
    "row_files.py",
    "rows_io.py",
    "tree.py",
    "trees_io.py",
)
"""The modules of prmkit that make rows."""


def key_of(corpus: Corpus, content: str, encoder: StepEncoder, shape: RowShape) -> Key:
    """What decides the rows of a corpus.

    Args:
        corpus: which one, and what is taken of it.
        content: a hash of what it holds.
        encoder: the tokenisation.
        shape: how trees become rows.
    """
    key = {
        "content": content,
        "corpus": {"source": corpus.name, **corpus.choices()},
        "source_code": _hash_of_source(corpus),
        "tokenizer": _hash_of_tokenizer(encoder.tokenizer),
        "format": encoder.format.model_dump(mode="json"),
        "max_length": shape.max_length,
        "weighting": shape.weighting,
        "budget": shape.budget,
        "versions": {
            "prmkit": prmkit.__version__,
            "code": code_hash(*_CODE),
            "tokenizers": tokenizers.__version__,
            "transformers": transformers.__version__,
        },
    }
    written: Key = from_json(to_json(key, fallback=str, inf_nan_mode="null"))
    return written


def name_of(key: Key) -> str:
    """A short name of a key, for a folder."""
    text = json.dumps(key, sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _hash_of_source(corpus: Corpus) -> list[str]:
    """Of the files that define a source, which may be somebody else's: its module, and where its function is from."""
    module = sys.modules.get(corpus.name.partition(":")[0])
    reader = inspect.unwrap(corpus.reader)
    found = {getattr(module, "__file__", None), inspect.getsourcefile(reader) if inspect.isfunction(reader) else None}
    return [sha256(Path(file)) for file in sorted(filter(None, found)) if Path(file).is_file()]


def _hash_of_tokenizer(tokenizer: PreTrainedTokenizerBase) -> str:
    """Of what it would be saved as, without its name."""
    name, tokenizer.name_or_path = tokenizer.name_or_path, ""
    try:
        with TemporaryDirectory() as folder:
            tokenizer.save_pretrained(folder)
            return sha256(Path(folder))
    finally:
        tokenizer.name_or_path = name
