"""Rows of other people's data sets, from local files or the hub, each with the place it came from.

Streaming: nothing but a ``.json`` array is held in memory as a whole.
"""

import gzip
import itertools
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from prmkit.errors import InputError

Fields = Mapping[str, Any]
"""A row that has been read: its values by field."""

SUFFIXES = (".jsonl", ".jsonl.gz", ".json", ".parquet")
"""The kinds of files that are read."""

HUB = "hub:"
"""What a path on the Hugging Face hub begins with: ``hub:org/name[@config][:split]``."""


_BATCH = 256
"""Rows of a parquet file in memory at once."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row that has not been looked at, so that a bad one does not end the reading of the good ones."""

    where: str
    content: bytes | Any

    def parse(self, *, exact: bool = False) -> Fields:
        """The row; ``exact`` keeps integers beyond 64 bits and reads Infinity and NaN, at a fifth of the speed.

        Raises:
            InputError: it is no JSON object.
        """
        record = _parsed(self.content, self.where, exact) if isinstance(self.content, bytes) else self.content
        if not isinstance(record, dict):
            raise InputError("not a JSON object", where=self.where, got=record)
        return record

    def text(self) -> str:
        """The row as it stands in the file, or as JSON."""
        raw = self.content if isinstance(self.content, bytes) else orjson.dumps(self.content, default=str)
        return raw.decode(errors="replace").rstrip("\n")


def local_rows(path: Path) -> Iterator[RawRow]:
    """The rows of a file, or of all such files of a folder in the order of their names.

    Raises:
        InputError: there is no such file, it is of another kind, or it cannot be read as what it says it is.
    """
    if path.is_dir():
        files = sorted(child for child in path.iterdir() if child.name.endswith(SUFFIXES))
        if not files:
            raise InputError("the folder holds no data", where=path, expected=f"files ending in {', '.join(SUFFIXES)}")
        for file in files:
            yield from local_rows(file)
        return
    if not path.is_file():
        raise InputError("no such file", where=path, cure="Check the path.")
    if not path.name.endswith(SUFFIXES):
        raise InputError("unknown kind of file", where=path, got=path.suffix, expected=", ".join(SUFFIXES))
    readers = {".json": _array, ".parquet": _parquet}
    yield from readers.get(path.suffix, _json_lines)(path)


def hub_rows(name: str, *, config: str | None = None, split: str) -> Iterator[RawRow]:
    """The rows of a data set on the Hugging Face hub, downloaded as they are read. No code of the data set is run.

    Raises:
        InputError: it cannot be loaded.
    """
    try:
        import datasets

        for index, row in enumerate(datasets.load_dataset(name, config, split=split, streaming=True)):
            yield RawRow(f"{name}:{split}[{index}]", row)
    # The hub client raises errors of four libraries (datasets, huggingface_hub, httpx, fsspec); all mean the same here.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(
            f"cannot load {name} from the hub ({reason})", cure="Download it elsewhere and give the path of its file."
        ) from error


def rows_at(path: str) -> Iterator[RawRow]:
    """The rows at a local path or at ``hub:org/name[@config][:split]``, by default of the split train.

    Raises:
        InputError: as ``local_rows`` or ``hub_rows``.
    """
    if not path.startswith(HUB):
        return local_rows(Path(path))
    place, _, named = path.removeprefix(HUB).partition(":")
    name, _, config = place.partition("@")
    return hub_rows(name, config=config or None, split=named or "train")


def first_rows(
    path: Path | None, *, hub: str, config: str | None = None, split: str, limit: int | None
) -> list[tuple[str, Fields]]:
    """(place, row) of the first ``limit`` rows of the file, or of the hub's data set where ``path`` is None.

    Raises:
        InputError: the file or the hub cannot be read, or a row is not an object.
    """
    rows = local_rows(path) if path is not None else hub_rows(hub, config=config, split=split)
    # The tests of programs hold numbers of any size.
    return [(row.where, row.parse(exact=True)) for row in itertools.islice(rows, limit)]


def field(row: Fields, where: str, *names: str) -> str:
    """The text of the first of ``names`` that the row has; numbers are written out.

    Raises:
        InputError: none is there, or it is empty.
    """
    for name in names:
        value = row.get(name)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if value is not None and not isinstance(value, dict | list) and str(value).strip():
            return str(value).strip()
    raise InputError(f"the row has no {names[0]}", where=where, got=sorted(row), expected=" or ".join(names))


def _array(path: Path) -> Iterator[RawRow]:
    records = _parsed(path.read_bytes(), str(path), exact=False)
    if isinstance(records, dict) and records and all(isinstance(record, dict) for record in records.values()):
        records = list(records.values())  # rows by their names
    if not isinstance(records, list):
        raise InputError("not a list of rows", where=path, got=records, expected="a JSON array")
    for index, record in enumerate(records):
        yield RawRow(f"{path}:[{index}]", record)


def _json_lines(path: Path) -> Iterator[RawRow]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                content = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
                if content.strip():
                    yield RawRow(f"{path}:{number}", content)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"not a whole gzip file ({error})", where=path) from None


def _parquet(path: Path) -> Iterator[RawRow]:
    import pyarrow
    from pyarrow import parquet

    try:
        with parquet.ParquetFile(path) as file:
            numbers = itertools.count()
            for batch in file.iter_batches(batch_size=_BATCH):
                for row in batch.to_pylist():
                    yield RawRow(f"{path}:[{next(numbers)}]", row)
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"not a whole parquet file ({reason})", where=path) from None


def _parsed(data: bytes, where: str, exact: bool) -> Any:
    try:
        if not exact:
            return orjson.loads(data)
        record = json.loads(data)
        if b"\\ud" in data or b"\\uD" in data:  # perhaps half of a surrogate pair: no file can hold it, orjson refuses
            json.dumps(record, ensure_ascii=False).encode()
        return record
    except (ValueError, RecursionError) as error:
        raise InputError(f"not JSON ({error})", where=where, got=data[:60]) from None
