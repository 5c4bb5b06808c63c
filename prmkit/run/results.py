"""What a stage found: a model with a version, written by one function and read by one.

A share is a fraction of 1 everywhere; only what prints turns it into per cent. The file says what it is in ``schema``,
as in ``prmkit/search/1``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from prmkit.errors import InputError
from prmkit.run.files import write_json, writing

SCHEMA = "schema"
_TOOL = "prmkit"


class Figures(BaseModel):
    """The base of what results are made of."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON types; what is unknown (NaN) is None."""
        values: dict[str, Any] = orjson.loads(orjson.dumps(self.model_dump(mode="json", by_alias=True)))
        return values


class Result(Figures):
    """The base of every result. ``kind`` and ``version`` name its form; a field that changes raises the version."""

    kind: ClassVar[str]
    version: ClassVar[int] = 1

    @classmethod
    def upgraded(cls, record: dict[str, Any], version: int) -> dict[str, Any]:
        """The record of an older version in the form of this one; version 0 has no schema."""
        return record


ResultKind = TypeVar("ResultKind", bound=Result)
Model = TypeVar("Model", bound=BaseModel)


def write_result(path: Path, result: Result) -> None:
    """Write a result as JSON, whole or not at all.

    Raises:
        InputError: the disk is full, or the place must not be written.
    """
    with writing(path):
        write_json(path, {SCHEMA: f"{_TOOL}/{result.kind}/{result.version}", **result.as_json()})


def read_result(path: Path, kind: type[ResultKind]) -> ResultKind:
    """The result in a file.

    Raises:
        InputError: with the file, and the key: there is none, it is half written, of another kind, of another tool, of
            a newer version, or of an older one that is not read any more.
    """
    try:
        record = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        raise InputError("no result here", where=path, expected=f"a {kind.kind} result") from None
    except OSError as error:
        raise InputError(f"cannot read the result ({error.strerror})", where=path) from None
    except orjson.JSONDecodeError as error:
        raise InputError(f"not JSON ({error})", where=path, cure="It may be half written: make it again.") from None
    if not isinstance(record, dict):
        raise InputError("not a JSON object", where=path, got=record, expected=f"a {kind.kind} result")
    version = _version(record.pop(SCHEMA, None), kind, path)
    if version == kind.version:
        return parsed(kind, record, str(path))
    cure = "An older prmkit wrote it: make it again."
    try:
        record = kind.upgraded(record, version)
    except (LookupError, TypeError, ValueError, AttributeError):
        raise InputError(f"not a {kind.kind} result", where=path, got=sorted(record), cure=cure) from None
    return parsed(kind, record, str(path), cure=cure)


def parsed(model: type[Model], record: Mapping[str, Any], where: str, *, cure: str = "") -> Model:
    """The record as a model.

    Raises:
        InputError: with the key: one is missing, unknown, or holds something else.
    """
    try:
        return model.model_validate(record)
    except ValidationError as error:
        detail = error.errors(include_url=False)[0]
        key = ".".join(map(str, detail["loc"]))
        got = {} if detail["type"] == "missing" else {"got": detail["input"]}
        raise InputError(f"{key}: {detail['msg'].lower()}", where=where, cure=cure, **got) from None


def _version(schema: object, kind: type[Result], path: Path) -> int:
    """The version that a file names; 0 for a file from before results had one."""
    if schema is None:
        return 0
    known = f"{_TOOL}/{kind.kind}/{kind.version}"
    tool, _, rest = schema.partition("/") if isinstance(schema, str) else ("", "", "")
    name, _, number = rest.rpartition("/")
    if tool != _TOOL or not number.isdecimal():
        raise InputError("the file of another tool", where=path, got=schema, expected=known)
    if name != kind.kind:
        raise InputError("a result of another kind", where=path, got=schema, expected=known)
    if int(number) > kind.version:
        raise InputError(
            "written by a newer prmkit", where=path, got=schema, expected=f"at most {known}", cure="Upgrade prmkit."
        )
    return int(number)
