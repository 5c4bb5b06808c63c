"""Why a model cannot be used: each cause a sentence of its own, with its own cure.

A folder is looked at before transformers is, so that the sentence does not depend on which error of which library comes
first. Light: torch is not imported.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

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
from safetensors import SafetensorError, safe_open

from prmkit.errors import InputError, PrmkitError

CONFIG = "config.json"
ADAPTER_CONFIG = "adapter_config.json"
INDEX = "model.safetensors.index.json"

_POINTER = b"version https://git-lfs.github.com/spec/"
_POINTER_SIZE = 1024
"""Bytes that no file of Git LFS exceeds which stands for another one."""

_QUANTISED = {
    "awq": "AWQ",
    "gptq": "GPTQ",
    "compressed-tensors": "compressed-tensors",
    "bitsandbytes": "bitsandbytes",
    "fp8": "FP8",
    "fbgemm_fp8": "FP8",
    "mxfp4": "MXFP4",
}


def check_folder(folder: Path, name: str) -> dict[str, Any]:
    """The config of a model folder as its file has it.

    Args:
        folder: on this machine.
        name: what it is called in errors.

    Raises:
        InputError: the folder is empty, an adapter or a GGUF file alone, or no model; or a file is damaged.
    """
    config_file = folder / CONFIG
    if not config_file.is_file():
        raise _no_model(folder, name)
    for file in sorted(folder.glob("*.json")):
        refuse_pointer(file)
    config = _json(config_file)
    adapter = folder / ADAPTER_CONFIG
    if adapter.is_file():
        check_adapter(adapter)
    return config


def check_architecture(config: dict[str, Any], name: str) -> None:
    """Raise InputError if transformers has no code for a config: it is newer, or the code comes with the model."""
    from transformers import CONFIG_MAPPING

    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise _unknown_architecture(config, name)


def check_weights(folder: Path, name: str) -> None:
    """Look at weights that transformers shall load: whether they are not quantised, and as ``check_weight_files``.

    Raises:
        InputError: they are, or a file is missing, cut off or none.
    """
    settings = _json(folder / CONFIG).get("quantization_config")
    method = settings.get("quant_method") if isinstance(settings, dict) else None
    if method is not None:
        raise quantised(str(method), name)
    check_weight_files(folder, name)


def check_weight_files(folder: Path, name: str) -> None:
    """Look at the files of the weights, of whatever numbers: whether all are there and whole.

    Raises:
        InputError: with the file that is not.
    """
    index = folder / INDEX
    placed = _json(index).get("weight_map") if index.is_file() else {}
    listed = sorted(set(map(str, placed.values()))) if isinstance(placed, dict) else []
    missing = [file for file in listed if not (folder / file).is_file()]
    if missing:
        raise InputError(
            "weights are missing",
            where=name,
            got=f"no {', '.join(missing[:2])}" + (f" and {len(missing) - 2} more" if len(missing) > 2 else ""),
            expected=f"the {len(listed)} files that {INDEX} names",
            cure="Copy or download the folder again.",
        )
    safe = sorted(folder.glob("*.safetensors"))
    others = sorted(folder.glob("pytorch_model*.bin"))
    if not safe and not others:
        raise InputError(
            "the folder holds no weights",
            where=name,
            got=", ".join(sorted(file.name for file in folder.iterdir())[:4]),
            expected="model.safetensors, or several with an index",
            cure="Copy or download the folder again.",
        )
    for file in [*safe, *others]:
        refuse_pointer(file)
    for file in safe:
        refuse_damaged(file)


def check_adapter(file: Path) -> dict[str, Any]:
    """The config of an adapter as its file has it.

    Raises:
        InputError: it is no JSON, or peft would import a module that it names.
    """
    refuse_pointer(file)
    config = _json(file)
    if config.get("megatron_config"):
        raise InputError(
            "the adapter names a module to be imported, which is never done",
            where=file,
            got=config.get("megatron_core", "megatron.core"),
            cure="Save it from the model that was trained, without megatron_config.",
        )
    return config


def refuse_pointer(file: Path) -> None:
    """Raise InputError if a file only stands for another one, which Git LFS did not fetch."""
    try:
        if file.stat().st_size > _POINTER_SIZE:
            return
        with file.open("rb") as stream:
            pointer = stream.read(len(_POINTER)) == _POINTER
    except OSError as error:
        raise InputError(f"cannot read the file ({error.strerror})", where=file) from None
    if pointer:
        raise InputError(
            "a pointer of Git LFS stands in the place of the file",
            where=file,
            cure="Run `git lfs pull` in the folder, or download it with `hf download`.",
        )


def refuse_damaged(file: Path) -> None:
    """Raise InputError if a file of safetensors is cut off, or none."""
    try:
        with safe_open(file, framework="np"):
            pass
    except (SafetensorError, OSError) as error:
        raise InputError(
            f"the file of weights is cut off or damaged ({_line(error)})",
            where=file,
            cure="Copy or download it again.",
        ) from None


def quantised(method: str, name: str) -> InputError:
    """What is said of weights that are no plain numbers."""
    shown = _QUANTISED.get(method, method)
    bits = " For training in 4 bits name the unquantised model, and set train.lora.quantize: nf4."
    return InputError(
        f"the weights are quantised ({shown}), and can be neither trained nor computed with here",
        where=name,
        expected="weights in bfloat16, float16 or float32",
        cure="Name the unquantised model; or run this one in vLLM (engine.name: vllm)."
        + (bits if method == "bitsandbytes" else ""),
    )


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
        f"the hub did not give the model ({_line(error)})", where=name, cure="Try again, or name a local folder."
    )


def _no_model(folder: Path, name: str) -> InputError:
    names = sorted(file.name for file in folder.iterdir())
    if not names:
        return InputError("the folder is empty", where=name, expected=f"a model: a folder with {CONFIG}")
    if ADAPTER_CONFIG in names:
        return InputError(
            "the folder holds an adapter without the model that it adapts",
            where=name,
            expected=f"a whole model: a folder with {CONFIG}",
            cure="Merge it first: peft's merge_and_unload for a language model, `prmkit checkpoint merge` for a PRM.",
        )
    gguf = [each for each in names if each.lower().endswith(".gguf")]
    if gguf:
        return InputError(
            "the folder holds a model as GGUF alone",
            where=name,
            got=gguf[0],
            expected=f"a folder with {CONFIG} and safetensors",
            cure=f"Make one of it: prmkit models import {gguf[0]} --out FOLDER",
        )
    return InputError("the folder is not a model", where=name, expected=f"a folder with {CONFIG}")


def _unknown_architecture(config: dict[str, Any], name: str) -> InputError:
    kind = config.get("model_type")
    code = config.get("auto_map")
    if isinstance(code, dict) and code:
        files = sorted({str(each).rpartition("--")[2].partition(".")[0] + ".py" for each in code.values()})
        return InputError(
            "the model is code that comes with its weights, which is never run",
            where=name,
            got=f"{kind}, defined in {files[0]}",
            expected=f"an architecture of transformers {version('transformers')}",
            cure="Name a version of it that transformers knows, often called -hf; or serve it elsewhere "
            "(engine.name: openai).",
        )
    if kind is None:
        return InputError(
            f"{CONFIG} does not say which architecture it is of",
            where=name,
            expected="a model_type",
            cure="Take the config of the model that it was made from.",
        )
    return InputError(
        f"transformers {version('transformers')} does not know this architecture",
        where=name,
        got=kind,
        cure="Upgrade transformers; if that is the newest one, run the model in vLLM or behind a server.",
    )


def _explained(what: str, name: str, folder: Path, error: Exception) -> InputError:
    reason = _line(error)
    for file in sorted(folder.glob("*.json")):
        try:
            json.loads(file.read_bytes())
        except (OSError, ValueError, RecursionError) as fault:
            return _no_json(file, fault)
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


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read the file ({error.strerror})", where=file) from None
    except (ValueError, RecursionError) as error:
        raise _no_json(file, error) from None
    if not isinstance(found, dict):
        raise InputError("the file holds no JSON object", where=file, got=found, expected="keys and values")
    return found


def _mismatch(error: Exception) -> str:
    """The line of torch's error that names a weight and its shapes."""
    found = [line.strip() for line in str(error).splitlines() if "mismatch for" in line]
    return (found or [_line(error)])[0][:200]


def _no_json(file: Path, error: Exception) -> InputError:
    return InputError(f"the file is no JSON ({_line(error)})", where=file, cure="Copy or download it again.")


def _line(error: BaseException) -> str:
    if isinstance(error, KeyError):
        return f"no {error}"
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300] or type(error).__name__
