"""Rows of a problem set, from a local file or the hub, each with the place it came from."""

import gzip
import itertools
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from prmkit.errors import InputError

Row = Mapping[str, Any]


def read_rows(
    path: Path | None, *, hub: str, config: str | None = None, split: str, limit: int | None
) -> list[tuple[str, Row]]:
    """(place, row) of the first ``limit`` rows of the file, or of the hub's data set where ``path`` is None.

    Raises:
        InputError: the file or the hub cannot be read, or a row is not an object.
    """
    rows = _file_rows(path) if path is not None else _hub_rows(hub, config, split)
    return list(itertools.islice(rows, limit))


def _file_rows(path: Path) -> Iterator[tuple[str, Row]]:
    if not path.is_file():
        raise InputError("no such file", where=path, cure="Check the path.")
    if path.name.endswith((".jsonl", ".jsonl.gz")):
        yield from _json_lines(path)
        return
    if path.suffix != ".json":
        raise InputError("unknown kind of file", where=path, got=path.suffix, expected=".jsonl, .jsonl.gz or .json")
    records = _parsed(path.read_bytes(), str(path))
    if not isinstance(records, list):
        raise InputError("not a list of rows", where=path, got=records, expected="a JSON array")
    for index, record in enumerate(records):
        yield f"{path}:[{index}]", _object(record, f"{path}:[{index}]")


def _json_lines(path: Path) -> Iterator[tuple[str, Row]]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield f"{path}:{number}", _object(_parsed(line, f"{path}:{number}"), f"{path}:{number}")
    except (gzip.BadGzipFile, EOFError) as error:
        raise InputError(f"not a whole gzip file ({error})", where=path) from None


def _parsed(data: bytes, where: str) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise InputError(f"not JSON ({error})", where=where, got=data[:60]) from None


def _object(record: Any, where: str) -> Row:
    if not isinstance(record, dict):
        raise InputError("not a JSON object", where=where, got=record)
    return record


def _hub_rows(hub: str, config: str | None, split: str) -> Iterator[tuple[str, Row]]:
    try:
        import datasets

        rows = datasets.load_dataset(hub, config, split=split)
    # The hub client raises errors of four libraries (datasets, huggingface_hub, httpx, fsspec); all mean the same here.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(
            f"cannot load {hub} from the hub ({reason})", cure="Download it elsewhere and give its file with path=."
        ) from error
    for index, row in enumerate(rows):
        yield f"{hub}:{split}[{index}]", row


def field(row: Row, where: str, *names: str) -> str:
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
