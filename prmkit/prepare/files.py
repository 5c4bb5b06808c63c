"""The files of prepared rows: a column each, written in portions and mapped by whoever reads them."""

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, overload

import numpy as np
import xxhash
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, ValidationError

from prmkit.packing.rows import EncodedTrees, RowCounts
from prmkit.packing.table import COLUMNS, RowTable, refuse_too_many_sources
from prmkit.run.files import write_whole
from prmkit.sources.corpus import CorpusRecord

QUARANTINE = "quarantine.jsonl"
META = "prepared.json"
_TEXTS = ("names", "prompts")
_FILES: dict[str, type[np.generic]] = {
    **COLUMNS,
    **dict.fromkeys(_TEXTS, np.uint8),
    **dict.fromkeys((f"{name}_starts" for name in _TEXTS), np.int64),
}

_PORTION = 1 << 20


class Damaged(Exception):
    """The files are not what was written."""


class Prepared(BaseModel):
    """What is known of prepared rows beside the rows themselves.

    Attributes:
        key: what decides them (see key.py).
        corpus: what was read.
        counts: what became of its trees.
        label_sources: who made the labels.
        tokens: of all rows.
        files: the size in bytes and the hash of each file.
        hash: of all this.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: dict[str, Any]
    corpus: CorpusRecord
    counts: RowCounts
    label_sources: list[str]
    tokens: int
    files: dict[str, tuple[int, str]]
    hash: str = ""

    def signed(self) -> "Prepared":
        """The same with its hash."""
        written = self.model_dump_json(exclude={"hash"})
        return self.model_copy(update={"hash": xxhash.xxh3_128(written.encode()).hexdigest()})

    @property
    def bytes(self) -> int:
        """Of all files together."""
        return sum(size for size, _ in self.files.values())


def open_rows(folder: Path) -> tuple[Prepared, EncodedTrees]:
    """The rows in a folder, mapped: what is not looked at takes no memory, and processes share the rest.

    Raises:
        Damaged: the files are not what was written.
    """
    prepared = read_about(folder / META)
    if prepared.files.keys() - {QUARANTINE} != set(_FILES):
        raise Damaged(f"{META}: it names other files")
    found = {
        name: _mapped(folder / name, _FILES.get(name, np.uint8), *written) for name, written in prepared.files.items()
    }
    names, prompts = (Texts(found[name], found[f"{name}_starts"]) for name in _TEXTS)
    rows = RowTable(**{name: found[name] for name in COLUMNS}, names=names, label_sources=tuple(prepared.label_sources))
    return prepared, EncodedTrees(rows=rows, prompts=prompts, counts=prepared.counts)


def read_about(file: Path) -> Prepared:
    """What is known of prepared rows, from its file.

    Raises:
        Damaged: it is not what was written.
    """
    try:
        prepared = Prepared.model_validate_json(file.read_bytes())
    except (OSError, ValidationError) as error:
        raise Damaged(f"{file.name}: {str(error).splitlines()[0]}") from None
    if prepared != prepared.signed():
        raise Damaged(f"{file.name}: its contents have changed")
    return prepared


def _mapped(file: Path, kind: type[np.generic], size: int, written: str) -> NDArray[Any]:
    try:
        if file.stat().st_size != size:
            raise Damaged(f"{file.name}: it has {file.stat().st_size} bytes, not {size}")
        if not size:
            return np.zeros(0, kind)
        # Writable, as memory is, since torch warns of what is not; the file stays as it is.
        values = np.memmap(file, dtype=kind, mode="c")
    except (OSError, ValueError) as error:
        raise Damaged(f"{file.name}: {error}") from None
    if _hash_of(file) != written:
        raise Damaged(f"{file.name}: its contents have changed")
    return values


def _hash_of(file: Path) -> str:
    """Read in portions: what is read through a mapping counts as this process's memory."""
    found, portion = xxhash.xxh3_128(), bytearray(_PORTION)
    with file.open("rb", buffering=0) as stream:
        while size := stream.readinto(portion):
            found.update(memoryview(portion)[:size])
    return found.hexdigest()


class Texts(Sequence[str]):
    """Texts in a file, each decoded when it is asked for.

    Args:
        data: the texts in UTF-8, one after another.
        starts: where each one starts, and where the last one ends.
    """

    def __init__(self, data: NDArray[np.uint8], starts: NDArray[np.int64]) -> None:
        self._data, self._starts = data, starts

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        if isinstance(index, slice):
            return [self[each] for each in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(index)
        start, stop = self._starts[index : index + 2].tolist()
        return bytes(self._data[start:stop]).decode("utf-8", "surrogatepass")


class RowWriter:
    """Writes rows to the files of a folder, portion after portion.

    Args:
        folder: there, and empty.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._counts = RowCounts()
        self._problems: dict[bytes, int] = {}
        self._sources: dict[str, int] = {}
        self._ids = self._steps = 0
        self._open = ExitStack()
        self._files: dict[str, _File] = {}

    def __enter__(self) -> "RowWriter":
        for name in _FILES:
            self._files[name] = _File(self._open.enter_context((self._folder / name).open("wb")))
        for name in _TEXTS:
            self._files[f"{name}_starts"].write(np.zeros(1, np.int64))
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @property
    def tokens(self) -> int:
        """Of the rows written so far."""
        return self._ids

    @property
    def size(self) -> int:
        """Bytes written so far."""
        return sum(file.size for file in self._files.values())

    def add(self, encoded: EncodedTrees) -> None:
        """Write some rows behind those that are there."""
        rows = encoded.rows
        problems = np.array([self._problem(*each) for each in zip(rows.names, encoded.prompts, strict=True)], np.int32)
        sources = np.array([self._sources.setdefault(each, len(self._sources)) for each in rows.label_sources])
        refuse_too_many_sources(self._sources)
        moved = {
            "id_starts": rows.id_starts[:-1] + self._ids,
            "step_starts": rows.step_starts[:-1] + self._steps,
            "problems": problems[rows.problems] if len(rows) else rows.problems,
            "sources": sources[rows.sources] if len(rows.sources) else rows.sources,
        }
        for name, kind in COLUMNS.items():
            self._files[name].write(np.ascontiguousarray(moved.get(name, getattr(rows, name)), dtype=kind))
        self._ids += len(rows.ids)
        self._steps += len(rows.ends)
        self._counts.add(encoded.counts)

    def finish(self, key: dict[str, Any], corpus: CorpusRecord) -> Prepared:
        """Close the files, and write what is known of them: only then are they whole."""
        self._files["id_starts"].write(np.array([self._ids], np.int64))
        self._files["step_starts"].write(np.array([self._steps], np.int64))
        self._open.close()
        files = {name: (file.size, file.hash.hexdigest()) for name, file in self._files.items()}
        quarantine = self._folder / QUARANTINE
        if quarantine.is_file():
            files[QUARANTINE] = quarantine.stat().st_size, _hash_of(quarantine)
        prepared = Prepared(
            key=key,
            corpus=corpus,
            counts=self._counts,
            label_sources=list(self._sources),
            tokens=self._ids,
            files=files,
        ).signed()
        write_whole(self._folder / META, prepared.model_dump_json(indent=1).encode())
        return prepared

    def _problem(self, name: str, prompt: str) -> int:
        """The index of a problem, which is written where it is new."""
        texts = [text.encode("utf-8", "surrogatepass") for text in (name, prompt)]
        digest = xxhash.xxh3_128(b"%d:" % len(texts[0]) + b"".join(texts)).digest()
        index = self._problems.get(digest)
        if index is None:
            index = self._problems[digest] = len(self._problems)
            for column, text in zip(_TEXTS, texts, strict=True):
                self._files[column].write(np.frombuffer(text, np.uint8))
                self._files[f"{column}_starts"].write(np.array([self._files[column].size], np.int64))
        return index


class _File:
    """A file that is being written, with its size and its hash."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size = 0
        self.hash = xxhash.xxh3_128()

    def write(self, values: NDArray[Any]) -> None:
        data = values.tobytes()
        self._file.write(data)
        self.hash.update(data)
        self.size += len(data)
