"""Rows of other people's data sets, from local files or the hub, and what stands in them."""

import itertools
import math
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

from prmkit.errors import InputError
from prmkit.json_io import LongFloat, number_text
from prmkit.row_files import Meter, RawRow, data_files, local_rows

Fields = Mapping[str, Any]
"""A row that has been read: its values by field."""

HUB = "hub:"
"""What a path on the Hugging Face hub begins with: ``hub:org/name[@config][:split]``."""


def bytes_on_disk(path: str) -> int | None:
    """How many bytes the files have that hold the rows at a path; None for the hub. A ``Meter`` counts up to it."""
    return sum(map(_size, _files_at(path))) or None


def _files_at(path: str) -> list[Path]:
    """Those that can be read, as far as that shows from outside; none on the hub."""
    if path.startswith(HUB):
        return []
    place = Path(path)
    try:
        return list(data_files(place)) if place.is_dir() else [place] if place.is_file() else []
    except (InputError, OSError):  # who reads it will say what is wrong
        return []


def _size(file: Path) -> int:
    return file.stat().st_size


def hub_rows(name: str, *, config: str | None = None, split: str, revision: str | None = None) -> Iterator[RawRow]:
    """The rows of a data set on the Hugging Face hub, downloaded as they are read. No code of the data set is run.

    Args:
        name: ``org/name``, or a folder of such a data set.
        config: which of its parts; None: its only or its default one.
        split: of it.
        revision: a commit; None: the newest one.

    Raises:
        InputError: it cannot be loaded.
    """
    try:
        import datasets

        commit = {} if revision is None else {"revision": revision}
        for index, row in enumerate(datasets.load_dataset(name, config, split=split, streaming=True, **commit)):
            yield RawRow(f"{name}:{split}[{index}]", row)
    except Exception as error:
        raise hub_refusal(name, error) from error


def hub_refusal(name: str, error: Exception) -> InputError:
    """What to say of a data set that the hub does not give.

    Its client raises errors of several libraries: datasets, fsspec, its own, whichever HTTP client its version uses.
    """
    reason = str(error).strip().partition("\n")[0] or type(error).__name__
    return InputError(
        f"cannot load {name} from the hub ({reason})", cure="Download it elsewhere and give the path of its file."
    )


class HubPlace(NamedTuple):
    """Rows on the hub: see ``hub_rows``."""

    name: str
    config: str | None
    split: str


def hub_place(path: str) -> HubPlace | None:
    """What ``hub:org/name[@config][:split]`` names, by default the split train; None for a path of this machine."""
    if not path.startswith(HUB):
        return None
    place, _, split = path.removeprefix(HUB).partition(":")
    name, _, config = place.partition("@")
    return HubPlace(name, config or None, split or "train")


def rows_at(path: str, meter: Meter | None = None, *, revision: str | None = None) -> Iterator[RawRow]:
    """The rows at a local path or on the hub (see ``hub_place``), there of a revision.

    A ``meter`` tells how much of local files has been read.

    Raises:
        InputError: as ``local_rows`` or ``hub_rows``.
    """
    place = hub_place(path)
    if place is None:
        return local_rows(Path(path), meter)
    return hub_rows(place.name, config=place.config, split=place.split, revision=revision)


def first_rows(
    path: Path | None, *, hub: str, config: str | None = None, split: str, limit: int | None
) -> list[tuple[str, Fields]]:
    """(place, row) of the first ``limit`` rows of the file, or of the hub's data set where ``path`` is None.

    Raises:
        InputError: the file or the hub cannot be read, or a row is not an object.
    """
    rows = local_rows(path) if path is not None else hub_rows(hub, config=config, split=split)
    return [(row.where, row.parse()) for row in itertools.islice(rows, limit)]


def field(row: Fields, where: str, *names: str) -> str:
    """The text of the first of ``names`` that the row has; numbers are written out.

    Raises:
        InputError: none is there, or it is empty.
    """
    for name in names:
        text = plain(row.get(name))
        if text is not None:
            return text
    raise InputError(f"the row has no {names[0]}", where=where, got=sorted(row), expected=" or ".join(names))


def plain(value: object) -> str | None:
    """A text without the white space around it, or a number in full; None for nothing, NaN, and what has parts."""
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int | float | Decimal):
        return number_text(value) if isinstance(value, int | LongFloat) or math.isfinite(value) else None
    return value.strip() or None if isinstance(value, str) else None
