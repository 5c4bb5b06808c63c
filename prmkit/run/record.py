"""What run.yaml records besides the recipe: versions, the commit, and never a secret."""

import hashlib
import importlib.metadata
import platform
import re
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import prmkit
from prmkit import __version__
from prmkit.errors import InputError
from prmkit.run.files import sha256
from prmkit.yaml_io import KeyPath

_SECRET_KEY = re.compile(
    r"(?i)(^|_)(api_?key|passw(or)?d|secret|credentials?)$|^token$|(api|auth|access|hf|hub)_token$"
)
_SECRET_VALUE = re.compile(r"://[^/\s:@]+:[^/\s@]+@|\b(hf_|sk-)[A-Za-z0-9_-]{20,}")
_ABSENT = object()


def versions() -> dict[str, str]:
    """Of prmkit, Python and the libraries that decide a result, as far as they are installed."""
    found = {"prmkit": __version__, "python": platform.python_version()}
    for name in ("torch", "transformers", "lightning", "vllm"):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


@cache
def code_hash(*names: str) -> str:
    """Of the source of prmkit's own modules and packages, named as below its folder: what they make depends on it."""
    root = Path(prmkit.__file__).parent
    files = (file for name in names for file in sorted((root / name).rglob("*.py")) or [root / name])
    return hashlib.sha256("".join(sha256(file) for file in files).encode()).hexdigest()


def git_sha() -> str | None:
    """The commit of the checkout that prmkit runs from, marked ``-dirty`` if files differ from it; None in a wheel."""
    checkout = Path(__file__).parents[2]
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def refuse_secrets(value: Any, path: KeyPath = ()) -> None:
    """Raises InputError if a value, or what its key is called, looks like a secret."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            refuse_secrets(child, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for child in value:
            refuse_secrets(child, path)
    elif isinstance(value, str) and (_SECRET_VALUE.search(value) or (path and _SECRET_KEY.search(path[-1]))):
        raise InputError(
            f"{'.'.join(path)} looks like a secret, and run.yaml would keep it",
            cure="Remove it from the recipe and set it in the environment (HF_TOKEN, OPENAI_API_KEY).",
        )


def check_equal(what: str, stored: Any, given: Mapping[str, Any], *, where: Path) -> None:
    """Raises InputError, with the first key that differs, unless both records say the same."""
    difference = _first_difference(stored, given, ())
    if difference is None:
        return
    path, old, new = difference
    raise InputError(
        f"the {what} differs from that of the run at {'.'.join(path) or 'its root'}",
        where=where,
        got="nothing" if new is _ABSENT else new,
        expected="nothing" if old is _ABSENT else repr(old),
        cure="Resume with the same one, or choose another --out.",
    )


def _first_difference(old: Any, new: Any, path: KeyPath) -> tuple[KeyPath, Any, Any] | None:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            found = _first_difference(old.get(key, _ABSENT), new.get(key, _ABSENT), (*path, str(key)))
            if found:
                return found
        return None
    # A key that came later, and says nothing: the run that did not know it is the same.
    same = old == new or (old is _ABSENT and new is None)
    return None if same else (path, old, new)
