"""The head of a GGUF file: what it says of its model, and where its tensors lie.

Whoever made the file may have meant harm: every count and length is held against what is left of the file before it is
believed. No torch, so that a broken file is refused at once.

Source: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md, versions 2 and 3.
"""

import mmap
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, TypeVar

from prmkit.errors import InputError

_Value = TypeVar("_Value")

_NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""struct's letter of each type of number."""

_TEXT, _ARRAY = 8, 9
_MOST = 1 << 22
"""More values, keys or tensors than this no model has: the largest vocabularies are a tenth of it."""

_MOST_DIMENSIONS = 4


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A tensor in the file. ``shape`` is in torch's order, ``kind`` GGML's number of how it is stored, and ``offset``
    counts bytes from where the tensors begin.
    """

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """All of a file but its tensors. These begin at byte ``start`` of ``size``."""

    path: Path
    metadata: dict[str, Any]
    tensors: tuple[StoredTensor, ...]
    start: int
    size: int

    @property
    def numbers(self) -> int:
        """How many numbers the tensors hold."""
        return sum(prod(tensor.shape) for tensor in self.tensors)

    @property
    def architecture(self) -> str:
        """llama.cpp's name of the architecture.

        Raises:
            InputError: the file does not say.
        """
        name = self.value("general.architecture", str)
        if name is None:
            raise InputError("the file does not say what it holds", where=self.path, got="no general.architecture")
        return name

    def value(self, key: str, kind: type[_Value]) -> _Value | None:
        """What the file says under a key; None where it says nothing.

        Raises:
            InputError: it is of another type.
        """
        found = self.metadata.get(key)
        if found is not None and not isinstance(found, kind):
            raise InputError(f"a wrong type of {key}", where=self.path, got=found, expected=kind.__name__)
        return found

    def of_model(self, key: str, kind: type[_Value]) -> _Value | None:
        """As ``value``, of a key that begins with the architecture's name."""
        return self.value(f"{self.architecture}.{key}", kind)


def read_header(path: Path) -> Header:
    """The head of a GGUF file.

    Raises:
        InputError: there is no such file, it is none of GGUF, or it is cut off or broken.
    """
    if path.is_dir():
        raise InputError("the path is a folder", where=path, expected="a GGUF file")
    try:
        with path.open("rb") as file:
            if file.read(4) != b"GGUF":
                raise InputError("the file is no GGUF file", where=path, expected="one that begins with GGUF")
            with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
                return _Reader(data, path).header()
    except OSError as error:
        raise InputError(f"cannot read the file ({error.strerror})", where=path, cure="Check the path.") from None


class _Reader:
    """A place in the file that moves on with what is read."""

    def __init__(self, data: mmap.mmap, path: Path) -> None:
        self._data, self._path, self._place = data, path, 4

    def header(self) -> Header:
        (version,) = self._take("I")
        if version not in (2, 3):
            swapped = version & 0xFFFF == 0
            raise InputError(
                "a version of GGUF that is not read here",
                where=self._path,
                got="numbers in big-endian order" if swapped else version,
                expected="2 or 3, little-endian",
            )
        tensor_count, key_count = self._count(), self._count()
        metadata: dict[str, Any] = {}
        for _ in range(key_count):
            key = self._text()
            if key in metadata:
                raise self._broken(f"the key {key} twice")
            metadata[key] = self._value(*self._take("I"))
        tensors = tuple(self._tensor() for _ in range(tensor_count))
        if len({tensor.name for tensor in tensors}) < len(tensors):
            raise self._broken("two tensors of one name")
        alignment = metadata.get("general.alignment", 32)
        if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
            raise self._broken(f"an alignment of {alignment}")
        start = -(-self._place // alignment) * alignment
        return Header(path=self._path, metadata=metadata, tensors=tensors, start=start, size=len(self._data))

    def _tensor(self) -> StoredTensor:
        name = self._text()
        (dimensions,) = self._take("I")
        if dimensions > _MOST_DIMENSIONS:
            raise self._broken(f"a tensor of {dimensions} dimensions")
        shape = self._take(f"{dimensions}Q")[::-1]
        kind, offset = self._take("IQ")
        return StoredTensor(name, shape, kind, offset)

    def _value(self, kind: int) -> Any:
        if kind in _NUMBERS:
            return self._take(_NUMBERS[kind])[0]
        if kind == _TEXT:
            return self._text()
        if kind != _ARRAY:
            raise self._broken(f"a value of the unknown type {kind}")
        (inner,) = self._take("I")
        count = self._count()
        if inner in _NUMBERS:
            return list(self._take(f"{count}{_NUMBERS[inner]}"))
        if inner != _TEXT:
            raise self._broken(f"an array of the type {inner}")
        return [self._text() for _ in range(count)]

    def _text(self) -> str:
        (length,) = self._take("Q")
        end = self._place + length
        if end > len(self._data):
            raise self._broken(f"a text of {length} bytes at byte {self._place}")
        raw = self._data[self._place : end]
        self._place = end
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise self._broken(f"a text that is no UTF-8 at byte {end - length}") from None

    def _count(self) -> int:
        (count,) = self._take("Q")
        if count > _MOST:
            raise self._broken(f"a count of {count} at byte {self._place - 8}")
        return int(count)

    def _take(self, format: str) -> tuple[Any, ...]:
        size = struct.calcsize("<" + format)
        if self._place + size > len(self._data):
            raise self._broken(f"{len(self._data)} bytes in all")
        values = struct.unpack_from("<" + format, self._data, self._place)
        self._place += size
        return values

    def _broken(self, got: str) -> InputError:
        return InputError(
            f"the GGUF file is cut off or broken, got {got}", where=self._path, cure="Download or convert it again."
        )
