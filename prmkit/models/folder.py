"""Whether a model's folder holds what it should, looked at before transformers is: then the sentence does not depend on
which error of which library comes first. Light: torch is not imported.
"""

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from prmkit.errors import InputError
from prmkit.models.causes import CONFIG, first_line, no_json

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
            f"the file of weights is cut off or damaged ({first_line(error)})",
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


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read the file ({error.strerror})", where=file) from None
    except (ValueError, RecursionError) as error:
        raise no_json(file, error) from None
    if not isinstance(found, dict):
        raise InputError("the file holds no JSON object", where=file, got=found, expected="keys and values")
    return found
