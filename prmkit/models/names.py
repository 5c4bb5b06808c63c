"""What names a model: a local folder, or an id on the hub."""

from pathlib import Path

from prmkit.errors import InputError


def refuse_missing_folder(name: str) -> None:
    """Raise InputError if a name is plainly that of a folder, and there is none, or none of a model."""
    path = Path(name)
    if path.is_dir() and not (path / "config.json").is_file():
        raise InputError("the folder is not a model", where=name, expected="a folder with config.json")
    looks_local = path.is_absolute() or name.startswith(("./", "../", "~")) or len(path.parts) > 2
    if looks_local and not path.is_dir():
        raise InputError("no such folder", where=name, cure="Check the path.")


def unloadable(what: str, name: str, error: Exception) -> InputError:
    """What is said of what transformers or the hub did not give."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return InputError(
        f"cannot load a {what} ({reason})",
        where=name,
        expected="a local folder or a hub id",
        cure="Check the spelling; a hub id needs a network or a filled cache.",
    )
