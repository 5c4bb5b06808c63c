"""The folder of a run: what was asked for (run.yaml replays it), what came out, and where a killed run goes on."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prmkit.errors import InputError
from prmkit.run.files import sha256, write_whole, writing
from prmkit.run.ranks import this_process
from prmkit.run.record import check_equal, git_sha, refuse_secrets, versions
from prmkit.yaml_io import dump_yaml, read_yaml


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
        refuse_secrets(recipe)
        if not this_process().first:
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
            "versions": versions(),
            "git": git_sha(),
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
        """What the evaluation of a search found, in a run folder of its own beside the trees."""
        return self.path / "evaluation" / "metrics.json"

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
        """metrics.json: the result of the run (see results.py)."""
        return self.path / "metrics.json"

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
        check_equal("recipe", stored.get("recipe"), recipe, where=self.record)
        check_equal("input", stored.get("inputs"), hashes, where=self.record)

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
