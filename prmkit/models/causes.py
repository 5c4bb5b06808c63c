"""Why a model cannot be used, as the hub and libraries tell it: each cause a sentence of its own, with its own cure.

What its folder shows is said by ``folder.py`` beforehand. Light: torch is not imported.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError

from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from prmkit.errors import InputError, PrmkitError

CONFIG = "config.json"


def not_causal(kind: str, what: str, name: str) -> InputError:
    """What is said of a model that is not a causal language model: ``what`` it is instead."""
    return InputError(
        f"{kind} is {what}, not a causal language model",
        where=name,
        expected="a decoder of text alone, such as Qwen2, Llama or Mistral",
        cure="Name another model.",
    )


def holds_code(name: object) -> InputError:
    """What is said of a torch file that unpickling would have to run code for."""
    return InputError(
        "a weight file holds more than tensors, and is not opened", where=name, expected="safetensors, or plain tensors"
    )


@contextmanager
def refusals(what: str, name: str, folder: Path) -> Iterator[None]:
    """Turn whatever a library raises while it loads ``what`` into one line.

    Of a folder that lies transformers, tokenizers and peft raise errors of every kind.
    """
    try:
        yield
    except (PrmkitError, MemoryError):
        raise
    except UnpicklingError:
        raise holds_code(name) from None
    except Exception as error:
        if type(error).__name__ == "OutOfMemoryError":  # torch's, which says of itself what to do
            raise
        raise _explained(what, name, folder, error) from None


def hub_refusal(name: str, error: Exception) -> InputError:
    """What is said where the hub does not give a model."""
    if isinstance(error, HFValidationError):
        return InputError("neither a folder nor an id on the hub", where=name, cure="Check the spelling.")
    if isinstance(error, GatedRepoError):
        return InputError(
            "the hub gives this model only to those whom its owner lets in",
            where=name,
            cure="Accept its terms on its page, then log in with `hf auth login` or set HF_TOKEN.",
        )
    if isinstance(error, RevisionNotFoundError):
        return InputError(
            "the model has no such revision on the hub",
            where=name,
            expected="a branch, a tag or a commit",
            cure="Check what stands behind the @.",
        )
    status = error.response.status_code if isinstance(error, HfHubHTTPError) else 0
    if isinstance(error, RepositoryNotFoundError) or status in (401, 403):
        return InputError(
            "the hub has no such model, or it is private",
            where=name,
            cure="Check the spelling, or whether such a folder is here; for a private model log in with "
            "`hf auth login` or set HF_TOKEN.",
        )
    if isinstance(error, LocalEntryNotFoundError | OfflineModeIsEnabled | ConnectionError | TimeoutError):
        # Not bool(HF_HUB_OFFLINE) alone: a machine may be offline and not know it.
        offline = "HF_HUB_OFFLINE forbids to ask" if constants.HF_HUB_OFFLINE else "there is no connection to the hub"
        return InputError(
            f"the model is not on this machine, or not all of it, and {offline}",
            where=name,
            cure="Check the spelling, or whether such a folder is here; where there is a network, "
            "`hf download` fills the cache.",
        )
    return InputError(
        f"the hub did not give the model ({first_line(error)})", where=name, cure="Try again, or name a local folder."
    )


def _explained(what: str, name: str, folder: Path, error: Exception) -> InputError:
    reason = first_line(error)
    for file in sorted(folder.glob("*.json")):
        try:
            json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError) as fault:
            return no_json(file, fault)
    if "untagged enum" in reason or "did not match any variant" in reason or "missing field" in reason:
        return InputError(
            f"tokenizers {version('tokenizers')} cannot read the tokenizer.json ({reason})",
            where=name,
            cure="A newer version wrote it: upgrade tokenizers and transformers.",
        )
    if "custom code" in str(error):
        return InputError(f"the {what} is code that comes with the model, which is never run", where=name)
    if isinstance(error, ImportError):
        return InputError(f"the {what} needs a package that is not installed ({reason})", where=name)
    if "mismatch" in str(error) and what == "adapter":
        return InputError(
            f"the adapter does not fit the model beneath ({_mismatch(error)})",
            where=name,
            expected="a head of two labels, and the vocabulary of that model",
            cure="Name the model that it was trained on with --base: its tokens included, if any were added.",
        )
    if "mismatch" in str(error):
        return InputError(
            f"the weights have other shapes than {CONFIG} says ({reason})",
            where=name,
            cure=f"Take the {CONFIG} that belongs to them.",
        )
    return InputError(
        f"the {what} cannot be loaded ({reason})",
        where=name,
        expected="a folder as transformers writes it",
        cure="Copy or download it again, or name another model.",
    )


def _mismatch(error: Exception) -> str:
    """The line of torch's error that names a weight and its shapes."""
    found = [line.strip() for line in str(error).splitlines() if "mismatch for" in line]
    return (found or [first_line(error)])[0][:200]


def no_json(file: Path, error: Exception) -> InputError:
    """What is said of a file that should hold JSON."""
    return InputError(f"the file is no JSON ({first_line(error)})", where=file, cure="Copy or download it again.")


def first_line(error: BaseException) -> str:
    """What an error says, in a line."""
    if isinstance(error, KeyError):
        return f"no {error}"
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300] or type(error).__name__
