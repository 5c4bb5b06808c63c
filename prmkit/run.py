"""The folder of a run: what was asked for (run.yaml replays it), what came out, and where a killed run goes on."""

import errno
import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from prmkit import __version__
from prmkit.errors import InputError
from prmkit.yaml_io import KeyPath, dump_yaml, read_yaml

_SECRET_KEY = re.compile(
    r"(?i)(^|_)(api_?key|passw(or)?d|secret|credentials?)$|^token$|(api|auth|access|hf|hub)_token$"
)
_SECRET_VALUE = re.compile(r"://[^/\s:@]+:[^/\s@]+@|\b(hf_|sk-)[A-Za-z0-9_-]{20,}")
_ABSENT = object()


@dataclass(frozen=True, slots=True)
class RunFolder:
    """A folder that one run writes.

    Of several processes that train together only the first writes; ``follower`` marks the others.
    """

    path: Path
    follower: bool = False

    @classmethod
    def create(
        cls,
        path: Path,
        recipe: Mapping[str, Any],
        *,
        inputs: Sequence[Path] = (),
        seed: int,
        resume: bool = False,
        overwrite: bool = False,
    ) -> "RunFolder":
        """A folder that is ready to be written, with its run.yaml.

        Args:
            path: the folder; it is made.
            recipe: every value of the run, as JSON types.
            inputs: files or folders that the run reads; their SHA-256 is recorded.
            seed: of the run.
            resume: go on with the run that the folder holds, if it holds one.
            overwrite: remove the run that the folder holds, if it holds one.

        Raises:
            InputError: the folder holds something and neither option was given, or holds another run (resume) or no run
                (overwrite); an input is missing or has changed since; the recipe holds a secret; the disk is full.
        """
        if resume and overwrite:
            raise InputError("--resume and --overwrite exclude each other", where=path, cure="Give one of them.")
        _refuse_secrets(recipe, ())
        if is_follower():
            return cls(path, follower=True)
        run, hashes = cls(path), {str(given): sha256(given) for given in inputs}
        if run._holds_something():
            if resume:
                run._check_same(recipe, hashes)
                return run
            run.refuse_taken(overwrite=overwrite)
            run._clear(inputs)
        record = {
            "recipe": dict(recipe),
            "seed": seed,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": _versions(),
            "git": _git_sha(),
            "inputs": hashes,
        }
        with writing(path):
            write_whole(run.record, dump_yaml(record).encode())
        return run

    @property
    def record(self) -> Path:
        """run.yaml: the recipe with every value, versions, seed and input hashes; it replays the run."""
        return self.path / "run.yaml"

    @property
    def journal(self) -> Path:
        """The engine replies, from which a killed run goes on."""
        return self.path / "journal.jsonl"

    @property
    def trees(self) -> Path:
        """The trees that the run made."""
        return self.path / "trees.jsonl"

    @property
    def evaluation(self) -> Path:
        """evaluation.json: what a search found, computed from its trees."""
        return self.path / "evaluation.json"

    @property
    def quarantine(self) -> Path:
        """The rows of the run's data that could not be used, each with its place and its fault."""
        return self.path / "quarantine.jsonl"

    @property
    def checkpoint(self) -> Path:
        """The PRM that the run trained."""
        return self.path / "checkpoint"

    @property
    def metrics_file(self) -> Path:
        """metrics.json: the figures of the run."""
        return self.path / "metrics.json"

    def metrics(self, new: Mapping[str, Any]) -> None:
        """Add figures to metrics.json, replacing those of the same name; a reader never sees half a file.

        Raises:
            InputError: the disk is full.
        """
        if self.follower:
            return
        with writing(self.path):
            merged = self.read_metrics() | dict(new)
            write_whole(self.metrics_file, orjson.dumps(merged, option=orjson.OPT_INDENT_2) + b"\n")

    def read_metrics(self) -> dict[str, Any]:
        """The figures of the run so far."""
        known: dict[str, Any] = orjson.loads(self.metrics_file.read_bytes()) if self.metrics_file.exists() else {}
        return known

    def read_record(self) -> dict[str, Any]:
        """What run.yaml says.

        Raises:
            InputError: the folder holds no run.
        """
        if self.record.is_file():
            values = read_yaml(self.record).values
            if isinstance(values.get("recipe"), dict):
                return values
        raise InputError("not the folder of a run", where=self.path, expected="run.yaml with its recipe in it")

    def refuse_taken(self, *, overwrite: bool) -> None:
        """For who makes the folder only when the work is done, to ask before it.

        Raises:
            InputError: the folder holds something that may not be replaced.
        """
        if self._holds_something() and not overwrite:
            cure = "Give --resume, --overwrite or another --out."
            raise InputError("the folder is not empty", where=self.path, cure=cure)

    def _holds_something(self) -> bool:
        if self.path.exists() and not self.path.is_dir():
            raise InputError("not a folder", where=self.path, cure="Choose another --out.")
        return self.path.exists() and any(self.path.iterdir())

    def _check_same(self, recipe: Mapping[str, Any], hashes: Mapping[str, str]) -> None:
        if not self.record.is_file():
            raise InputError("the folder holds no run to resume", where=self.path, expected="a run.yaml in it")
        stored = read_yaml(self.record).values
        _check_equal("recipe", stored.get("recipe"), recipe, where=self.record)
        _check_equal("input", stored.get("inputs"), hashes, where=self.record)

    def _clear(self, inputs: Sequence[Path]) -> None:
        if not self.record.is_file():
            raise InputError(
                "the folder holds something that is not a run",
                where=self.path,
                expected="a run.yaml in it",
                cure="Remove it yourself or choose another --out.",
            )
        for given in inputs:
            if given.resolve().is_relative_to(self.path.resolve()):
                raise InputError("an input lies in the folder to overwrite", where=self.path, got=str(given))
        with writing(self.path):
            for child in self.path.iterdir():
                if child.is_dir() and not child.is_symlink():
                    shutil.rmtree(child)
                else:
                    child.unlink()


def refuse_existing(file: Path, *, overwrite: bool) -> None:
    """Called before any work. Raises InputError if the file is there and may not be replaced."""
    if file.exists() and not overwrite:
        raise InputError("the file exists", where=file, cure="Give --overwrite or another --out.")


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn the operating system's refusals to write below ``path`` into one line.

    Raises:
        InputError: the disk is full, or the place must not be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise InputError("the disk is full", where=path, cure="Make room, then go on with --resume.") from None
        if error.errno in (errno.EACCES, errno.EROFS, errno.EPERM, errno.ENOTDIR):
            raise InputError(f"cannot write ({error.strerror})", where=path, cure="Choose another --out.") from None
        raise


def cache_folder() -> Path:
    """Where files are kept that can be made or fetched again: ``$PRMKIT_CACHE``, by default ``~/.cache/prmkit``."""
    return Path(os.environ.get("PRMKIT_CACHE") or Path.home() / ".cache" / "prmkit")


def sha256(path: Path) -> str:
    """The hash of a file, or of a folder: of the names and hashes of its files.

    Raises:
        InputError: there is neither.
    """
    if path.is_dir():
        digest = hashlib.sha256()
        for file in sorted(child for child in path.rglob("*") if child.is_file()):
            digest.update(f"{file.relative_to(path).as_posix()}\0{sha256(file)}\n".encode())
        return digest.hexdigest()
    try:
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read an input ({error.strerror})", where=path, cure="Check the path.") from None


def _check_equal(what: str, stored: Any, given: Mapping[str, Any], *, where: Path) -> None:
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
    return None if old == new else (path, old, new)


def _refuse_secrets(value: Any, path: KeyPath) -> None:
    if isinstance(value, Mapping):
        for key, child in value.items():
            _refuse_secrets(child, (*path, str(key)))
    elif isinstance(value, list | tuple):
        for child in value:
            _refuse_secrets(child, path)
    elif isinstance(value, str) and (_SECRET_VALUE.search(value) or (path and _SECRET_KEY.search(path[-1]))):
        raise InputError(
            f"{'.'.join(path)} looks like a secret, and run.yaml would keep it",
            cure="Remove it from the recipe and set it in the environment (HF_TOKEN, OPENAI_API_KEY).",
        )


def is_follower() -> bool:
    """Whether this process is one of several that work together, and not the first of them."""
    # torchrun sets RANK; Lightning starts its processes with LOCAL_RANK and NODE_RANK; srun sets SLURM_PROCID.
    return any(os.environ.get(name, "0") != "0" for name in ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID"))


def _versions() -> dict[str, str]:
    versions = {"prmkit": __version__, "python": platform.python_version()}
    for name in ("torch", "transformers", "lightning", "vllm"):
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions


def _git_sha() -> str | None:
    """The commit of the checkout that prmkit runs from, marked ``-dirty`` if files differ from it; None in a wheel."""
    checkout = Path(__file__).parents[1]
    if not (checkout / ".git").exists():
        return None
    command = ["git", "-C", str(checkout), "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def write_whole(path: Path, data: bytes) -> None:
    """Write a file as a whole or not at all; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
