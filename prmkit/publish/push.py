"""A checkpoint goes to the Hugging Face hub: what belongs to it, nothing else, and its card."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

import huggingface_hub
from huggingface_hub import HfApi
from huggingface_hub.errors import HfHubHTTPError, HFValidationError, RepositoryNotFoundError

from prmkit.errors import InputError, PrmkitError, RunError
from prmkit.models.checkpoint import inspect_checkpoint
from prmkit.publish.card import CARD, write_card
from prmkit.run.files import writing

BELONGS = (
    "config.json",
    "generation_config.json",
    "prmkit.json",
    "model*.safetensors",
    "model.safetensors.index.json",
    "tokenizer*",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.*",
    CARD,
    "LICENSE*",
    ".gitattributes",
)
"""What a checkpoint's folder may hold to be uploaded: the model, its tokenizer, its texts."""

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def to_upload(checkpoint: Path, repository: str) -> dict[str, int]:
    """The files that a push uploads, by name with their sizes in bytes; nothing is sent, and nothing is written.

    Hidden folders, in which the hub's own tools keep their notes, are passed over.

    Raises:
        InputError: the folder is no checkpoint, holds what does not belong to one, or the repository has no legal name.
    """
    if not _REPOSITORY.fullmatch(repository):
        raise InputError("no name of a repository", got=repository, expected="OWNER/NAME")
    inspect_checkpoint(checkpoint)
    files = {file.relative_to(checkpoint).as_posix(): file for file in sorted(checkpoint.rglob("*")) if file.is_file()}
    shown = {name: file.stat().st_size for name, file in files.items() if not re.match(r"\.[^/]+/", name)}
    foreign = [name for name in shown if not any(fnmatch(name, pattern) for pattern in BELONGS) or "/" in name]
    if foreign:
        raise InputError(
            "the folder holds what does not belong to a checkpoint",
            where=checkpoint,
            got=", ".join(foreign),
            expected="model, tokenizer, prmkit.json, README.md, LICENSE",
            cure="Move it elsewhere: states, journals and recipes would show your data and your paths.",
        )
    return shown


def push(checkpoint: Path, repository: str, *, private: bool = False, create: bool = False) -> str:
    """Upload a checkpoint to a repository of models, and return the address of the commit.

    A checkpoint without a card gets one first. An upload that was cut off goes on when it is asked for again.

    Args:
        checkpoint: what training wrote.
        repository: ``owner/name``.
        private: only with ``create``: nobody else sees the repository.
        create: make the repository if it does not exist.

    Raises:
        InputError: as ``to_upload``; there is no token, it is not accepted or may not write there; the repository does
            not exist and was not to be created; ``private`` without ``create``.
        RunError: the hub cannot be reached, or it fails.
    """
    if private and not create:
        raise InputError("--private without --create", cure="An existing repository is made private in its settings.")
    to_upload(checkpoint, repository)
    token = huggingface_hub.get_token()
    if token is None:
        raise InputError(
            "no token of the hub", expected="HF_TOKEN, or a login", cure="Set HF_TOKEN, or run `hf auth login`."
        )
    if not (checkpoint / CARD).exists():
        with writing(checkpoint):
            write_card(checkpoint, repository=repository)
    files = to_upload(checkpoint, repository)
    api = HfApi(token=token)
    with _explained(repository, token):
        if create:
            api.create_repo(repository, private=private, exist_ok=True)
        done = api.upload_folder(
            repo_id=repository,
            folder_path=checkpoint,
            allow_patterns=list(files),
            commit_message="PRM, its tokenizer and its card",
        )
    return done.commit_url


@contextmanager
def _explained(repository: str, token: str) -> Iterator[None]:
    """Turn what the hub says into one line, in which the token never stands."""
    try:
        yield
    except Exception as error:  # the client also lets through what its HTTP library and its uploader raise
        raise _explain(error, repository, token) from None


def _explain(error: Exception, repository: str, token: str) -> PrmkitError:
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else None
    if status == 401:
        return InputError("the hub does not accept the token", where=repository, cure="Make a new one that may write.")
    if status == 403:
        return InputError("the token may not write there", where=repository, cure="Give it the right to write.")
    if isinstance(error, RepositoryNotFoundError):
        return InputError("no such repository on the hub", where=repository, cure="Give --create to make it.")
    reason = (str(error).splitlines() or [type(error).__name__])[0].replace(token, "***")
    if isinstance(error, HFValidationError):
        return InputError(f"the hub allows no such name ({reason})", where=repository)
    return RunError(f"{repository}: the upload failed ({reason}). Run the command again: it goes on where it stopped.")
