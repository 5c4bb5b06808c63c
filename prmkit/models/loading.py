"""What is said while weights are loaded: of which model, how large they are, and how far it is."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch.nn import Module
from transformers.utils import logging as transformers_logging

from prmkit.models.names import cached_folder
from prmkit.run.activity import Activity, busy

_KINDS = {"model*.safetensors": "safetensors", "*.safetensors": "safetensors", "*.bin": "torch files"}
"""How weights may be stored; of several forms the first is loaded."""

_UNITS = ("bytes", "kB", "MB", "GB", "TB")


@contextmanager
def loading(name: str) -> Iterator[None]:
    """Say that the weights of a model are loaded within, by transformers, and how far it is.

    Args:
        name: local folder or hub id.
    """
    with busy(f"loading {described(name)}") as activity, quiet():
        hook = transformers_logging.set_tqdm_hook(_telling(activity))
        try:
            yield
        finally:
            transformers_logging.set_tqdm_hook(hook)


@contextmanager
def quiet() -> Iterator[None]:
    """Keep back the bars of transformers and its loading report: that a backbone has no place for the LM head is what
    we want.
    """
    verbosity, bars = transformers_logging.get_verbosity(), transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()


def move(model: Module, device: str | torch.device, name: str) -> None:
    """Move a model in place, and say how far it is: weights are mapped from their files, and read only now.

    Args:
        model: on the CPU.
        device: where it shall live.
        name: what it was loaded from.
    """
    if torch.device(device).type != "cpu":
        # Layer by layer, of which each knows best how to move, so that it can be said how far it is.
        layers = [module for module in model.modules() if next(module.children(), None) is None]
        sizes = [sum(each.nbytes for each in layer.parameters()) for layer in layers]
        with busy(f"moving {described(name)} to {device}") as activity:
            for number, layer in enumerate(layers):
                activity.share = sum(sizes[:number]) / max(sum(sizes), 1)
                layer.to(device)
    model.to(device)


def described(name: str) -> str:
    """A model by the name that people know it by, with the size of its weights where they are on this machine."""
    path = Path(name)
    # A model of the hub may come as the folder of the cache that holds it.
    cached = [part.removeprefix("models--").replace("--", "/") for part in path.parts if part.startswith("models--")]
    known = cached[-1] if cached else name
    folder = cached_folder(name, "config.json")
    stored = _stored(folder) if folder is not None else None
    if stored is not None:
        size, kind = stored
        return f"{known} ({_in_bytes(size)} of {kind})"
    return known if path.is_dir() else f"{known} (to be fetched first)"


def _telling(activity: Activity) -> Callable[..., Any]:
    """A hook of transformers' progress bars that tells the activity how far the loop over the weights is."""

    def hook(bar: Callable[..., Any], arguments: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if not arguments or not hasattr(arguments[0], "__len__"):
            return bar(*arguments, **options)
        return bar(_told(activity, arguments[0]), *arguments[1:], **options)

    return hook


def _told(activity: Activity, items: Any) -> Iterable[Any]:
    for done, item in enumerate(items):
        activity.share = done / len(items)
        yield item


def _stored(folder: Path) -> tuple[int, str] | None:
    """The bytes of the weights that a folder holds, and how they are stored."""
    for pattern, kind in _KINDS.items():
        if size := sum(file.stat().st_size for file in folder.glob(pattern) if file.is_file()):
            return size, kind
    return None


def _in_bytes(size: float) -> str:
    """A size as people say it, in powers of 1000."""
    unit = 0
    while size >= 999.95 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit else f"{size:.0f} bytes"
