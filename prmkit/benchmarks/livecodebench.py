"""LiveCodeBench: contest problems with their dates, so that a model can be asked only what is newer than its data.

Source: Jain et al. 2024, arXiv 2403.07974; the files of livecodebench/code_generation_lite.
"""

import base64
import io
import json
import pickle
import zlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from prmkit.errors import InputError
from prmkit.row_files import local_rows
from prmkit.rows_io import Fields, field
from prmkit.tree import Case, Problem

_HUB = "livecodebench/code_generation_lite"
_FILES = {f"v{number}": "test.jsonl" if number == 1 else f"test{number}.jsonl" for number in range(1, 7)}
_MOST_BYTES = 1 << 30
"""Bytes that the tests of one problem may unpack to."""


def load(
    *,
    path: Path | None,
    limit: int | None,
    seed: int,
    release: str = "release_v6",
    start: str | date | None = None,
    end: str | date | None = None,
) -> list[Problem]:
    """The problems in file order, ids ``livecodebench/<question_id>``; the level is easy, medium or hard.

    Args:
        path: a file, or a folder of the data set's files; without, the hub.
        limit: the first so many problems within the dates.
        seed: not used.
        release: of the hub: ``release_v1`` to ``release_v6`` (all up to it), ``release_latest``, ``v3`` (what that one
            added), ``v3_v5`` (what those added).
        start: leave out problems of contests before this day (``2024-08-01``).
        end: leave out problems of contests after this day.

    Raises:
        InputError: an unknown release or day, or a row with tests that are not tests.
    """
    first, last = _day(start, "start", date.min), _day(end, "end", date.max)
    problems: list[Problem] = []
    for file in [path] if path is not None else _hub_files(release):
        for raw in local_rows(file):
            row = raw.parse()
            when = _day(field(row, raw.where, "contest_date")[:10], raw.where, date.min)
            if first <= when <= last:
                problems.append(_problem(row, raw.where))
            if limit is not None and len(problems) == limit:
                return problems
    return problems


def _problem(row: Fields, where: str) -> Problem:
    public = _tests(row.get("public_test_cases"), where)
    private = _tests(row.get("private_test_cases"), where)
    metadata = _json(row.get("metadata") or "{}", where)
    name = metadata.get("func_name") if isinstance(metadata, dict) else None
    starter = str(row.get("starter_code") or "")
    return Problem(
        id=f"livecodebench/{field(row, where, 'question_id')}",
        prompt=field(row, where, "question_content"),
        domain="code",
        level=field(row, where, "difficulty"),
        subject=field(row, where, "platform"),
        entry_point=name or None,
        tests=tuple(
            _case(test, where, public=shown, function=bool(name))
            for tests, shown in ((public, True), (private, False))
            for test in tests
        ),
        rule="livecodebench",
        stub=starter or None,
    )


def _case(test: Any, where: str, *, public: bool, function: bool) -> Case:
    try:
        given, output = str(test["input"]), str(test["output"])
    except (TypeError, KeyError):
        raise InputError("illegal test", where=where, got=test, expected="input and output") from None
    # The argument list of a function is written one argument a line.
    arguments = "[" + ", ".join(line for line in given.split("\n") if line.strip()) + "]"
    return Case(input=arguments if function else given, output=output, public=public)


def _tests(given: Any, where: str) -> list[Any]:
    """The tests of a column: a list, its JSON, or base64(zlib(pickle(its JSON)))."""
    if isinstance(given, list):
        return given
    if not isinstance(given, str):
        raise InputError("illegal tests", where=where, got=given, expected="JSON, or its packed form")
    tests = _json(given if given.lstrip().startswith("[") else _unpacked(given, where), where)
    if not isinstance(tests, list):
        raise InputError("illegal tests", where=where, got=tests, expected="a list")
    return tests


def _unpacked(text: str, where: str) -> str:
    try:
        unpacker = zlib.decompressobj()
        data = unpacker.decompress(base64.b64decode(text, validate=True), _MOST_BYTES)
        if unpacker.unconsumed_tail:
            raise ValueError(f"more than {_MOST_BYTES} bytes")
        found = _NoGlobals(io.BytesIO(data)).load()
    # A pickle that is none may raise nearly anything.
    except Exception as error:
        raise InputError(f"the tests cannot be unpacked ({error})", where=where, got=text[:40]) from None
    if not isinstance(found, str):
        raise InputError("the tests cannot be unpacked", where=where, got=found, expected="the pickle of a text")
    return found


class _NoGlobals(pickle.Unpickler):
    """Unpickles plain values only: a pickle that names a class or a function could run anything."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"the pickle asks for {module}.{name}")


def _json(text: Any, where: str) -> Any:
    try:
        return json.loads(text)
    except (TypeError, ValueError) as error:
        raise InputError(f"not JSON ({error})", where=where, got=text) from None


def _day(given: str | date | None, where: str, default: date) -> date:
    if given is None or isinstance(given, date):
        return given or default
    try:
        return date.fromisoformat(given)
    except ValueError:
        raise InputError("not a day", where=where, got=given, expected="such as 2024-08-01") from None


def _hub_files(release: str) -> Iterator[Path]:
    for name in _release_files(release):
        try:
            from huggingface_hub import hf_hub_download

            # The files themselves: the data set's own loading script would run code.
            yield Path(hf_hub_download(_HUB, name, repo_type="dataset"))
        # The client raises errors of several libraries; all mean that the file is out of reach.
        except Exception as error:
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise InputError(
                f"cannot load {name} of {_HUB} from the hub ({reason})",
                cure="Download it elsewhere and give the path of its file.",
            ) from error


def _release_files(release: str) -> list[str]:
    numbers = list(_FILES)
    first, _, last = release.removeprefix("release_").partition("_")
    if release == "release_latest":
        return list(_FILES.values())
    if first in _FILES and (not last or last in _FILES):
        begin = 0 if release.startswith("release_") else numbers.index(first)
        return [_FILES[number] for number in numbers[begin : numbers.index(last or first) + 1]]
    raise InputError(
        "unknown release of LiveCodeBench", got=release, expected="release_v1 to release_v6, release_latest, v1, v1_v3"
    )
