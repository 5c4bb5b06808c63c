"""What names a model: a local folder, or an id on the hub, there of a branch, tag or commit: ``org/name@revision``."""

import re
from pathlib import Path
from typing import NamedTuple

from huggingface_hub import constants, snapshot_download, try_to_load_from_cache

from prmkit.errors import InputError
from prmkit.models.causes import hub_refusal
from prmkit.run.activity import busy

_ID = re.compile(r"[\w.-]+(/[\w.-]+)?", re.ASCII)

_TEXTS = ("*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken")
"""Config, tokenizer and chat template. Code is never fetched."""

_BESIDE = ("*/*.json", "*/*.txt", "*/*.model", "*/*.safetensors", "*/*.bin", "consolidated*", "training_args.bin")
"""Other forms of the same weights, checkpoints on the way, and what a trainer left."""

_COMMIT = re.compile(r"[0-9a-f]{40}")

_resolved: dict[tuple[str, str, str], str] = {}
"""The commits that this process reads, by cache folder, id and revision: a branch that moves meanwhile does not mix
the files of two commits.
"""


class HubName(NamedTuple):
    """A model on the hub; ``revision`` is a branch, a tag or a commit."""

    id: str
    revision: str | None = None


def hub_name(name: str) -> HubName | None:
    """What a name says of the hub; None for that of a folder on this machine, whatever characters it has.

    Raises:
        InputError: it is plainly that of a folder, and there is none, or it can be neither.
    """
    path = Path(name).expanduser()
    if name and path.is_dir():
        return None
    id, at, revision = name.partition("@")
    if path.is_absolute() or name.startswith((".", "~")) or path.exists() or id.count("/") > 1:
        raise InputError("no such folder", where=name, cure="Check the path.")
    if not _ID.fullmatch(id) or (at and not revision):
        raise InputError(
            "neither a folder nor an id on the hub",
            where=name,
            expected="a local folder, org/name or org/name@revision",
            cure="Check the spelling.",
        )
    return HubName(id, revision or None)


def model_folder(name: str, *, weights: bool = True) -> Path:
    """The folder on this machine that holds a model: the one named, or the snapshot of an id on the hub, which is
    fetched where it is not in the cache. Code is never fetched.

    Args:
        name: local folder, ``org/name`` or ``org/name@revision``.
        weights: whether they are needed too, or the config and the tokenizer alone.

    Raises:
        InputError: there is no such folder, or the hub does not give the model.
    """
    hub = hub_name(name)
    if hub is None:
        return Path(name).expanduser()
    try:
        known = cached_folder(name, "config.json") is not None
        with busy(f"looking for changes of {name}" if known else f"fetching {name} from the hub"):
            folder = _snapshot(hub, *_TEXTS, *(["*.safetensors"] if weights else []))
            if weights and next(folder.glob("*.safetensors"), None) is None:
                folder = _snapshot(hub, *_TEXTS, "*.bin")
    except (OSError, ValueError) as error:
        raise hub_refusal(name, error) from None
    return folder


def commit_of(folder: Path) -> str | None:
    """The commit that a folder of the hub's cache holds; None for any other folder."""
    found = folder.parent.name == "snapshots" and _COMMIT.fullmatch(folder.name)
    return folder.name if found else None


def is_here(name: str) -> bool:
    """Whether the tokenizer of a model is on this machine, so that nothing has to be fetched for it."""
    return cached_folder(name) is not None


def cached_folder(name: str, file: str = "tokenizer_config.json") -> Path | None:
    """The folder that a model has on this machine, without asking the hub: its own, or that of the hub's cache if
    ``file`` is in it.
    """
    try:
        hub = hub_name(name)
    except InputError:
        return None
    if hub is None:
        return Path(name).expanduser()
    found = try_to_load_from_cache(hub.id, file, revision=hub.revision)
    return Path(found).parent if isinstance(found, str) else None


def _snapshot(hub: HubName, *patterns: str) -> Path:
    asked = (str(constants.HF_HUB_CACHE), hub.id, hub.revision or "")
    folder = snapshot_download(
        hub.id,
        revision=_resolved.get(asked, hub.revision),
        allow_patterns=list(patterns),
        ignore_patterns=list(_BESIDE),
    )
    _resolved[asked] = Path(folder).name
    return Path(folder)
