"""What run.yaml records besides the recipe: versions, the commit, and never a secret."""

import hashlib
import importlib.metadata
import platform
import re
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import prmkit
from prmkit import __version__
from prmkit.errors import InputError, InputErrors
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


def check_models(stored: Mapping[str, Any], given: Mapping[str, Mapping[str, Any]]) -> None:
    """Compare what a run recorded of its models with what they are now, by the hashes of their parts.

    Args:
        stored: what was recorded of each, by the key of the recipe that names it.
        given: the same of now.

    Raises:
        InputErrors: a line for each model that is another one now, with the parts that differ.
    """
    errors = [_other_model(key, stored[key], now) for key, now in given.items() if key in stored]
    if found := [error for error in errors if error is not None]:
        raise InputErrors(found)


def _other_model(key: str, then: Mapping[str, Any], now: Mapping[str, Any]) -> InputError | None:
    changed = _changed(then["sha256"], now["sha256"])
    if not changed:
        return None
    where, commit = f"{now['role']} {now['model']}", then.get("commit")
    if commit is None:
        cure = "Resume with the one that the run began with, or choose another --out."
        return InputError(changed, where=where, cure=cure)
    return InputError(
        changed,
        where=where,
        got=f"commit {now.get('commit')}",
        expected=str(commit),
        cure=f"Resume with --set {key}={_pinned(then)}, or choose another --out.",
    )


def as_named(recipe: Mapping[str, Any], models: Mapping[str, Any] | None) -> dict[str, Any]:
    """A recipe in which a model that is named by the commit that the run recorded has the name that the run gave it."""
    known = {key: each for key, each in (models or {}).items() if each.get("commit")}

    def named(value: Any, path: KeyPath) -> Any:
        if isinstance(value, Mapping):
            return {key: named(inner, (*path, str(key))) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [named(inner, (*path, str(number))) for number, inner in enumerate(value)]
        then = known.get(".".join(path))
        return then["model"] if then is not None and value == _pinned(then) else value

    found: dict[str, Any] = named(recipe, ())
    return found


def _pinned(model: Mapping[str, Any]) -> str:
    """A model of the hub by its commit."""
    return f"{str(model['model']).partition('@')[0]}@{model['commit']}"


def _changed(then: Mapping[str, str], now: Mapping[str, str]) -> str:
    """How the parts of a model differ, in words; nothing where they do not."""
    said = []
    differ = [part for part in now if then.get(part, now[part]) != now[part]]
    if differ:
        plural = len(differ) > 1 or differ[0].endswith("s")
        said.append(f"{_listed(differ)} {'differ from those' if plural else 'differs from that'} of the run")
    for parts, verb in (
        ([part for part in now if part not in then], "which the run had not"),
        ([part for part in then if part not in now], "which is gone"),
    ):
        said += [f"{_listed(parts)}, {verb}"] if parts else []
    return "; ".join(said)


def _listed(parts: Sequence[str]) -> str:
    *first, last = [f"the {part}" for part in parts]
    return f"{', '.join(first)} and {last}" if first else last


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
