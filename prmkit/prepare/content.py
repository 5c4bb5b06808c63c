"""What a corpus holds, in a word: a hash of its files, or the commit of a data set of the hub."""

from pathlib import Path

from prmkit.errors import InputError
from prmkit.rows_io import hub_place, hub_refusal
from prmkit.run.activity import busy
from prmkit.run.files import sha256

_PATIENCE = 20.0
"""Seconds that the hub may take to answer."""


def content_of(path: str) -> str:
    """What tells the content at a path from every other: the commit for a data set on the hub, else a hash.

    Raises:
        InputError: there is nothing, or the hub cannot be reached.
    """
    refuse_missing(path)
    place = hub_place(path)
    local = Path(path if place is None else place.name)
    if place is not None and not local.is_dir():
        return _commit(place.name)
    with busy(f"looking for changes in {path}"):
        return sha256(local)


def refuse_missing(path: str) -> None:
    """Raise InputError if nothing is at a path of this machine."""
    if hub_place(path) is None and not Path(path).exists():
        raise InputError("no such file", where=path, cure="Check the path.")


def is_commit(content: str) -> bool:
    """Whether it is a commit of the hub, and not a hash of files."""
    return len(content) == 40


def _commit(name: str) -> str:
    from huggingface_hub import HfApi

    try:
        with busy(f"asking the hub for {name}"):
            commit = HfApi().dataset_info(name, timeout=_PATIENCE).sha
    except Exception as error:
        raise hub_refusal(name, error) from error
    if commit is None:
        raise InputError(f"the hub names no commit of {name}")
    return commit
