"""Files of rows, of whatever kind, each row with the place it came from.

Streaming: nothing but a ``.json`` file is held in memory as a whole.
"""

import gzip
import io
import itertools
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from prmkit.errors import InputError
from prmkit.json_io import array_items, loads

_BATCH = 256
"""Rows of a parquet file in memory at once."""

_MOST_BYTES = 1 << 30
"""Bytes that one sample of an archive may unpack to."""

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_PACKED = (".gz", ".zst")
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")

_WRAPPERS = ("samples", "data", "rows", "examples", "instances")
"""Under which of its keys a ``.json`` object keeps its rows."""

_NOTES = frozenset(("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json"))
"""Files that the library ``datasets`` and the hub put beside data: what they say of it are no rows."""


class Meter:
    """How much of the files at a path has been read. Who reads them keeps it, and it is looked at between two rows."""

    def __init__(self) -> None:
        self._before = self._size = 0
        self._share: Callable[[], float] = lambda: 0.0

    @property
    def read(self) -> int:
        """Bytes as they lie on the disk; of a file that is read by rows, as many as its share of rows."""
        return self._before + int(self._size * self._share())

    @contextmanager
    def reading(self, path: Path) -> Iterator[None]:
        """The file is read within."""
        self._size, self._share = path.stat().st_size, lambda: 0.0
        yield
        self._before, self._size = self._before + self._size, 0

    def follow(self, share: Callable[[], float]) -> None:
        """Ask ``share`` how much of the file that is read now has been read, from 0 to 1."""
        self._share = share

    def follow_file(self, file: IO[bytes]) -> None:
        """Ask the open file where it is read."""
        self._share = lambda: 1.0 if file.closed else file.tell() / max(self._size, 1)


@dataclass(frozen=True, slots=True)
class RawRow:
    """A row that has not been looked at, so that a bad one does not end the reading of the good ones."""

    where: str
    content: bytes | Any

    def parse(self) -> dict[str, Any]:
        """The row, its numbers with all their digits (see json_io.py).

        Raises:
            InputError: it is no JSON object.
        """
        record = _parsed(self.content, self.where) if isinstance(self.content, bytes) else self.content
        if not isinstance(record, dict):
            raise InputError("not a JSON object", where=self.where, got=record)
        return record

    def text(self) -> str:
        """The row as it stands in the file, or as JSON."""
        if isinstance(self.content, bytes):
            return self.content.decode(errors="replace").rstrip("\n")
        try:
            return orjson.dumps(self.content, default=str).decode()
        except TypeError:  # what JSON cannot hold, such as an integer of more than 64 bits
            return str(self.content)


def local_rows(path: Path, meter: Meter | None = None) -> Iterator[RawRow]:
    """The rows of a file, or of all such files of a folder in the order of their names.

    A ``meter`` tells how much of them has been read.

    Of a folder without a data file those below it are read, as in ``data/`` of a data set of the hub.

    Raises:
        InputError: there is no such file, it is of another kind, or it cannot be read as what it says it is.
    """
    meter = meter or Meter()
    if path.is_dir():
        for file in data_files(path):
            yield from local_rows(file, meter)
        return
    if not path.is_file():
        raise InputError("no such file", where=path, cure="Check the path.")
    reader = _reader(path)
    if reader is None:
        raise InputError("unknown kind of file", where=path, got=path.suffix, expected=_KINDS)
    with meter.reading(path):
        yield from reader(path, meter)


def data_files(folder: Path) -> Iterator[Path]:
    """The data files of a folder; where it has none, those of the folders in it.

    Raises:
        InputError: there is none in these either.
    """
    shown = sorted(child for child in folder.iterdir() if not child.name.startswith("."))
    files = [child for child in shown if child.is_file() and _is_data(child)]
    rows_only = [file for file in files if file.suffix != ".json"]
    found = [file for file in files if file in rows_only or not rows_only or _holds_rows(file)]
    for inner in [] if found else [child for child in shown if child.is_dir()]:
        try:
            found += data_files(inner)
        except InputError:  # a folder of something else
            continue
    if not found:
        raise InputError("the folder holds no data", where=folder, expected=_KINDS)
    yield from found


def _is_data(file: Path) -> bool:
    cached = file.suffix == ".arrow" and file.name.startswith("cache-")  # what the library ``datasets`` left there
    return _reader(file) is not None and file.name not in _NOTES and not cached


def _holds_rows(file: Path) -> bool:
    """Whether a ``.json`` file beside files that can only hold rows is more than one object, which would be a note."""
    try:
        return len(list(itertools.islice(_json(file, Meter()), 2))) > 1
    except InputError:
        return True  # its reader will say what is wrong


def _reader(path: Path) -> "_Reader | None":
    packed = path.suffix in _PACKED
    reader = _READERS.get(path.with_suffix("").suffix if packed else path.suffix)
    return None if packed and reader not in (_json, _json_lines) else reader


def _json(path: Path, meter: Meter) -> Iterator[RawRow]:
    """An array of rows, an object that holds rows, one row, or JSON lines after all."""
    data = b"".join(_lines(path, meter)).removeprefix(_BYTE_ORDER_MARK).strip()
    come = 0
    if data.startswith(b"["):
        meter.follow(lambda: come / len(data))
        for index, item in enumerate(array_items(data)):
            yield RawRow(f"{path}:[{index}]", item)
            come += len(item)
        return
    try:
        record = loads(data)
    except ValueError:
        yield from _json_lines(path, meter)
        return
    rows = _rows_in(record, path)
    meter.follow(lambda: come / len(rows))
    for index, row in enumerate(rows):
        yield RawRow(f"{path}:[{index}]", row)
        come += 1


def _rows_in(record: Any, path: Path) -> list[Any]:
    if not isinstance(record, dict) or not record:
        raise InputError("not a list of rows", where=path, got=record, expected="a JSON array")
    lists = [record.get(name) for name in _WRAPPERS]
    by_name = list(record.values())
    return next((rows for rows in (*lists, by_name) if rows and _are_objects(rows)), [record])


def _are_objects(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(each, dict) for each in value)


def _json_lines(path: Path, meter: Meter) -> Iterator[RawRow]:
    """A row a line; where the file is an array after all, its rows."""
    empty = True
    for number, line in enumerate(_lines(path, meter), start=1):
        content = line.removeprefix(_BYTE_ORDER_MARK)  # also where files were put together
        if empty and content.lstrip().startswith(b"["):
            yield from _json(path, meter)
            return
        if content and not content.isspace():
            empty = False
            yield RawRow(f"{path}:{number}", content)


def _lines(path: Path, meter: Meter) -> Iterator[bytes]:
    try:
        with path.open("rb") as file:
            meter.follow_file(file)
            with _unpacked(path, file) as lines:
                yield from lines
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise InputError(f"not a whole gzip file ({error})", where=path) from None
    except OSError as error:
        raise InputError(f"cannot read the file ({error})", where=path) from None


def _unpacked(path: Path, file: io.BufferedReader) -> io.BufferedIOBase | gzip.GzipFile:
    if path.suffix == ".gz":
        return gzip.open(file)
    if path.suffix == ".zst":
        import pyarrow

        return io.BufferedReader(pyarrow.input_stream(file, compression="zstd"))
    return file if file.peek(2)[:2] not in _UTF_16 else _transcoded(file)


def _transcoded(file: io.BufferedReader) -> io.BytesIO:
    """The text of a file of UTF-16, which Windows PowerShell writes, as UTF-8."""
    return io.BytesIO(file.read().decode("utf-16", errors="replace").encode(errors="replace"))


def _parquet(path: Path, meter: Meter) -> Iterator[RawRow]:
    from pyarrow import parquet

    def batches() -> Iterator[Any]:
        come = 0
        with parquet.ParquetFile(path) as file:
            meter.follow(lambda: come / max(file.metadata.num_rows, 1))
            for batch in file.iter_batches(batch_size=_BATCH):
                yield batch
                come += len(batch)

    yield from _of_batches(path, batches())


def _arrow(path: Path, meter: Meter) -> Iterator[RawRow]:
    """What ``save_to_disk`` of the library ``datasets`` writes."""
    from pyarrow import ipc

    def batches() -> Iterator[Any]:
        with path.open("rb") as file, ipc.open_stream(file) as stream:
            meter.follow_file(file)
            yield from stream

    yield from _of_batches(path, batches())


def _of_batches(path: Path, batches: Iterator[Any]) -> Iterator[RawRow]:
    import pyarrow

    numbers = itertools.count()
    try:
        for batch in batches:
            for row in batch.to_pylist():
                yield RawRow(f"{path}:[{next(numbers)}]", row)
    except (pyarrow.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"not a whole {path.suffix[1:]} file ({reason})", where=path) from None


def _inspect_log(path: Path, meter: Meter) -> Iterator[RawRow]:
    """The samples of a log of inspect: an archive with a file each."""
    come = 0
    try:
        with path.open("rb") as file, zipfile.ZipFile(file) as archive:
            names = sorted(name for name in set(archive.namelist()) if _is_sample(name))
            meter.follow(lambda: come / len(names))
            for name in names:
                if archive.getinfo(name).file_size > _MOST_BYTES:
                    raise InputError(f"a sample of more than {_MOST_BYTES:,} bytes", where=f"{path}:{name}")
                yield RawRow(f"{path}:{name}", archive.read(name))
                come += 1
    # The last two: a password, and a compression that this Python does not know.
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError) as error:
        raise InputError(f"not a whole archive ({error})", where=path) from None


def _is_sample(name: str) -> bool:
    return name.startswith("samples/") and name.endswith(".json")


def _parsed(data: bytes, where: str) -> Any:
    try:
        return loads(data)
    except ValueError as error:
        raise InputError(f"not JSON ({error})", where=where, got=data[:60]) from None


_Reader = Callable[[Path, Meter], Iterator[RawRow]]
_READERS: Mapping[str, _Reader] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".parquet": _parquet,
    ".arrow": _arrow,
    ".eval": _inspect_log,
}

_KINDS = f"{', '.join(_READERS)} (JSON also with {' or '.join(_PACKED)})"
