"""What of a model's folder decides what it computes, as hashes by part: what a run records of its models."""

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from prmkit.models.config import NamedModel
from prmkit.models.names import commit_of, model_folder
from prmkit.run.hashes import hash_files

_TEXTS = {
    "config": ("config.json",),
    "generation config": ("generation_config.json",),
    "tokenizer": (
        "tokenizer.json",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "vocab.txt",
        "merges.txt",
        "*.model",
        "*.tiktoken",
    ),
    "chat template": (
        "tokenizer_config.json",
        "chat_template.json",
        "chat_template.jinja",
        "additional_chat_templates/*.jinja",
    ),
    "text format": ("prmkit.json",),
}
"""The files of each part, but of the weights and the adapter. A template may stand in the tokenizer's config."""

_BESIDE = ("training_args.bin", "optimizer.bin", "scheduler.bin", "adapter_model.bin")
"""Torch files that are no weights."""

_BLOB = re.compile(r"[0-9a-f]{64}")


def record_of(named: NamedModel) -> dict[str, Any]:
    """What a run records of a model: the role it has, what was named, the commit if it is of the hub, and the SHA-256
    of each part that it has: ``config``, ``generation config``, ``tokenizer``, ``chat template``, ``text format`` (of a
    PRM), and where its weights are read ``weights`` and ``adapter``.

    Raises:
        InputError: there is no such model, or a file cannot be read.
    """
    folder = model_folder(named.name, weights=named.weights)
    return {
        "role": named.role,
        "model": named.name,
        "commit": commit_of(folder.absolute()),
        "sha256": hashes_of(folder, named.name, weights=named.weights),
    }


def hashes_of(folder: Path, name: str, *, weights: bool = True) -> dict[str, str]:
    """The SHA-256 of each part of a model that its folder has; what does not decide, such as a README, is no part.

    Args:
        folder: on this machine.
        name: of the model, for who watches.
        weights: whether the weights count too.

    Raises:
        InputError: a file cannot be read.
    """
    parts = {part: sorted({file for glob in globs for file in folder.glob(glob)}) for part, globs in _TEXTS.items()}
    if weights:
        parts["weights"] = sorted(_weights(folder))
        parts["adapter"] = sorted([*folder.glob("adapter_config.json"), *folder.glob("adapter_model.*")])
    named = {file: blob for files in parts.values() for file in files if (blob := _blob(file)) is not None}
    hashed = named | hash_files({file for files in parts.values() for file in files} - named.keys(), name)
    found = {}
    for part, files in parts.items():
        digest, some = hashlib.sha256(), False
        for file in files:
            content = hashed[file]
            if file.name == "tokenizer_config.json":
                split = _split(file)
                if part == "chat template" and split[1] is None:
                    continue
                content = hashlib.sha256((split[part == "chat template"] or "").encode()).hexdigest()
            digest.update(f"{file.relative_to(folder).as_posix()}\0{content}\n".encode())
            some = True
        if some:
            found[part] = digest.hexdigest()
    return found


def _weights(folder: Path) -> Iterator[Path]:
    """Those that are loaded: safetensors, or torch files where there are none."""
    safe = [file for file in folder.glob("*.safetensors") if not file.name.startswith("adapter_model")]
    yield from safe or [file for file in folder.glob("*.bin") if file.name not in _BESIDE]
    yield from folder.glob("*.index.json")


def _blob(file: Path) -> str | None:
    """The SHA-256 of a large file of the hub, after which the file in its cache is called."""
    blob = file.resolve()
    return blob.name if blob.parent.name == "blobs" and _BLOB.fullmatch(blob.name) else None


def _split(file: Path) -> tuple[str, str | None]:
    """The config of a tokenizer without its chat template, and the template alone."""
    try:
        config = json.loads(file.read_bytes())
        template = config.pop("chat_template", None)
    except (OSError, ValueError, AttributeError, TypeError):  # which the loading will say
        return "", None
    return json.dumps(config, sort_keys=True), None if template is None else json.dumps(template)
