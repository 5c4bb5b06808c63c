"""The folder of a run: what was asked for (run.yaml replays it), what came out, and where a killed run goes on."""

import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from prmkit.errors import InputError
from prmkit.run.files import sha256, write_whole, writing
from prmkit.run.ranks import this_process
from prmkit.run.record import as_named, check_equal, check_models, git_sha, refuse_secrets, versions
from prmkit.yaml_io import dump_yaml, read_yaml

_LOG = logging.getLogger(__name__)


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
        models: Mapping[str, Mapping[str, Any]] | None = None,
        seed: int,
        resume: bool = False,
        overwrite: bool = False,
    ) -> "RunFolder":
        """A folder that is ready to be written, with its run.yaml.

        Args:
            path: the folder; it is made.
            recipe: every value of the run, as JSON types.
            inputs: files or folders of data that the run reads; their SHA-256 is recorded.
            models: what is recorded of the models that it reads, by the key of the recipe that names each.
            seed: of the run.
            resume: go on with the run that the folder holds, if it holds one.
            overwrite: remove the run that the folder holds, if it holds one.

        Raises:
            InputError: as ``refuse_taken``; an input is missing, has changed since (resume) or lies in the folder
                (overwrite); a model is another one (resume); the recipe holds a secret; the disk is full.
        """
        refuse_secrets(recipe)
        if not this_process().first:
            return cls(path, follower=True)
        run = cls(path)
        run.refuse_taken(recipe, resume=resume, overwrite=overwrite)
        hashes = {str(given): sha256(given) for given in inputs}
        if run._holds_something():
            if resume:
                run.refuse_other_models(models or {})
                record = read_yaml(run.record).values
                check_equal("input", record.get("inputs"), _of_models(record, models or {}) | hashes, where=run.record)
                return run
            run._refuse_within(map(str, inputs))
            run._clear()
        record = {
            "recipe": dict(recipe),
            "seed": seed,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "versions": versions(),
            "git": git_sha(),
            "inputs": hashes,
            "models": {key: dict(each) for key, each in (models or {}).items()},
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
    def verdicts(self) -> Path:
        """What an evaluation found in each solution, by which rule, and whether it is right."""
        return self.path / "verdicts.jsonl"

    @property
    def quarantine(self) -> Path:
        """The rows of the run's data that could not be used, each with its place and its fault."""
        return self.path / "quarantine.jsonl"

    @property
    def checkpoint(self) -> Path:
        """The PRM that the run trained."""
        return self.path / "checkpoint"

    @property
    def checks(self) -> Path:
        """checks.json: what was found out about the models of the run before it relied on them."""
        return self.path / "checks.json"

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

    def refuse_taken(self, recipe: Mapping[str, Any], *, resume: bool = False, overwrite: bool = False) -> None:
        """For who makes the folder only when much is read, to ask before it; ``create`` asks the same.

        Args:
            recipe: every value of the run.
            resume: whether the run that the folder holds goes on.
            overwrite: whether it is replaced.

        Raises:
            InputError: the folder holds something and neither option was given, or both are; it holds another run
                (resume), no run, a run of another stage, or what the recipe names, such as the model that the run
                reads (overwrite).
        """
        if resume and overwrite:
            raise InputError("--resume and --overwrite exclude each other", where=self.path, cure="Give one of them.")
        if not self._holds_something():
            return
        if resume:
            if not self.record.is_file():
                raise InputError("the folder holds no run to resume", where=self.path, expected="a run.yaml in it")
            record = read_yaml(self.record).values
            check_equal("recipe", record.get("recipe"), as_named(recipe, record.get("models")), where=self.record)
        elif not overwrite:
            cure = "Give --resume, --overwrite or another --out."
            raise InputError("the folder is not empty", where=self.path, cure=cure)
        elif not self.record.is_file():
            raise InputError(
                "the folder holds something that is not a run",
                where=self.path,
                expected="a run.yaml in it",
                cure="Remove it yourself or choose another --out.",
            )
        else:
            before, now = self.read_record()["recipe"].get("stage"), recipe.get("stage")
            # A stage that was split has left its name to its parts: an `evaluate` of old is made again by one of them.
            if before != now and not str(now).startswith(f"{before}-"):
                raise InputError(
                    "the folder holds a run of another stage",
                    where=self.path,
                    got=before,
                    expected=str(now),
                    cure="Remove it yourself or choose another --out.",
                )
            self._refuse_within(_texts(recipe))

    def refuse_other_models(self, models: Mapping[str, Mapping[str, Any]]) -> None:
        """For who goes on with the run that the folder holds, to ask before models are loaded; ``create`` asks the
        same. A run from before models were recorded goes on, with a warning.

        Args:
            models: what would be recorded of each now, by its key.

        Raises:
            InputError: a model is not what it was; its parts that differ are named.
        """
        if not models or not self._holds_something():
            return
        record = read_yaml(self.record).values
        recorded = record.get("models")
        if recorded is None:
            old = _of_models(record, models)
            check_equal("input", old, {key: sha256(Path(key)) for key in old}, where=self.record)
            if not old:
                _LOG.warning("%s does not say which models the run used; it goes on with those of now", self.record)
            return
        check_models(recorded, models)

    def _holds_something(self) -> bool:
        with writing(self.path):
            if self.path.exists() and not self.path.is_dir():
                raise InputError("not a folder", where=self.path, cure="Choose another --out.")
            return self.path.exists() and any(self.path.iterdir())

    def _refuse_within(self, given: Iterable[str]) -> None:
        """Raises InputError if one of these is a file or folder within this one."""
        folder = self.path.resolve()
        for name in given:
            if name and os.path.exists(name) and Path(name).resolve().is_relative_to(folder):
                within = str(Path(name).resolve().relative_to(folder))
                raise InputError(
                    "an input lies in the folder to overwrite",
                    where=self.path,
                    got=within,
                    cure="Choose another --out.",
                )

    def _clear(self) -> None:
        with writing(self.path):
            # The record goes last: what a kill leaves is still a run, which may be overwritten.
            for child in sorted(self.path.iterdir(), key=lambda child: child == self.record):
                if child.is_dir() and not child.is_symlink():
                    shutil.rmtree(child)
                else:
                    child.unlink()


def _of_models(record: Mapping[str, Any], models: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """The hashes of models that stand among those of the data, as they did before models were recorded."""
    names = set() if "models" in record else {each["model"] for each in models.values()}
    return {key: value for key, value in (record.get("inputs") or {}).items() if key in names}


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
