"""Trees as JSON lines: one tree a line, appended atomically, checked on reading.

The same line discipline serves every append-only file of a run (trees, journals, quarantines): a line is written with
one system call, and a last line without a newline is the mark of a crash and is cut off on opening.
"""

import os
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, get_args

import orjson

from prmkit.errors import InputError
from prmkit.run.files import refuse_existing, whole_file
from prmkit.tree import Case, Domain, Finish, Label, Node, Problem, Rule, StepTree

SCHEMA = 1

_TEXTS_OR_NOTHING = (
    "answer",
    "level",
    "subject",
    "entry_point",
    "input_file",
    "output_file",
    "stub",
    "reference",
    "check",
)
_FINISHES = get_args(Finish)
_WORDS = {"domain": get_args(Domain), "rule": get_args(Rule)}


def append_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Append records as JSON lines in one write, so that a crash tears at most the last line."""
    data = b"".join(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE) for record in records)
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
    finally:
        os.close(descriptor)


def repair_lines(path: Path) -> int:
    """Cut off a torn last line and return the number of bytes removed (0 for a sound or a missing file)."""
    if not path.exists():
        return 0
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        position, block = size, 1 << 16
        while position > 0:
            start = max(0, position - block)
            file.seek(start)
            newline = file.read(position - start).rfind(b"\n")
            if newline >= 0:
                position = start + newline + 1
                break
            position = start
        file.truncate(position)
        return size - position


def read_lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield (line number, record); blank lines are passed over.

    Raises:
        InputError: the file is missing or a line is not a JSON object.
    """
    if not path.is_file():
        raise InputError("no such file", where=path, cure="Check the path.")
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise InputError(f"not JSON ({error})", where=f"{path}:{number}", got=line[:60]) from None
            if not isinstance(record, dict):
                raise InputError("not a JSON object", where=f"{path}:{number}", got=record)
            yield number, record


def write_trees(path: Path, trees: Iterable[StepTree]) -> int:
    """Write trees to a new file, all or nothing, and return how many.

    Raises:
        InputError: the file exists.
    """
    return write_records(path, map(to_record, trees))


def write_records(path: Path, records: Iterable[dict[str, Any]]) -> int:
    """Write records to a new file of JSON lines, all or nothing, and return how many.

    Raises:
        InputError: the file exists.
    """
    with record_file(path) as file:
        for record in records:
            file.write(record)
    return file.count


class RecordFile:
    """A new file of JSON lines."""

    def __init__(self, file: BinaryIO) -> None:
        self.count = 0
        self._file = file

    def write(self, record: Mapping[str, Any]) -> None:
        """Add a line."""
        self._file.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        self.count += 1


@contextmanager
def record_file(path: Path, *, overwrite: bool | None = None) -> Iterator[RecordFile]:
    """A file of JSON lines for the block to write, which is there as a whole when the block ends.

    If the block fails, nothing is left of it, and what stood there stays.

    Args:
        path: of the file.
        overwrite: whether a file that is there is replaced; None where nobody can ask for that.

    Raises:
        InputError: the file exists and may not be replaced, or it is a folder.
    """
    refuse_existing(path, overwrite=overwrite)
    if path.is_dir():
        raise InputError("it is a folder", where=path, expected="the name of a file")
    with whole_file(path) as file:
        yield RecordFile(file)


def append_tree(path: Path, tree: StepTree) -> None:
    """Append one tree to a file that may be read again after a crash (see repair_lines)."""
    append_lines(path, [to_record(tree)])


def read_trees(path: Path, only: str | None = None) -> Iterator[StepTree]:
    """Yield the trees of a file.

    Args:
        path: of the file.
        only: the id of a problem: other trees are passed over, and not checked, which takes a tenth of the time.

    Raises:
        InputError: with ``file:line``, for a line that is no tree of this schema, and for a file without any tree.
    """
    empty = True
    for number, record in read_lines(path):
        empty = False
        if only is not None and problem_named(record) not in (only, None):
            continue
        try:
            yield from_record(record)
        except InputError as error:
            raise InputError(str(error), where=f"{path}:{number}") from None
    if empty:
        raise InputError("the file holds no tree", where=path, expected="one tree a line (JSON lines)")


def problem_named(record: dict[str, Any]) -> str | None:
    """The id of a tree's problem, by its JSON form alone; None where that has none."""
    problem = record.get("problem")
    name = problem.get("id") if isinstance(problem, dict) else None
    return name if isinstance(name, str) else None


def to_record(tree: StepTree) -> dict[str, Any]:
    """The JSON form of a tree. Every row has the same columns, so that ``datasets`` infers one type for each."""
    problem = tree.problem
    return {
        "schema": SCHEMA,
        "problem": {
            "id": problem.id,
            "prompt": problem.prompt,
            "domain": problem.domain,
            "answer": problem.answer,
            "level": problem.level,
            "subject": problem.subject,
            "entry_point": problem.entry_point,
            "tests": [{"input": t.input, "output": t.output, "public": t.public} for t in problem.tests],
            "input_file": problem.input_file,
            "output_file": problem.output_file,
            "rule": problem.rule,
            "stub": problem.stub,
            "reference": problem.reference,
            "check": problem.check,
            "atol": problem.atol,
        },
        "nodes": [_node_record(node) for node in tree.nodes],
        "meta": [{"key": key, "value": value} for key, value in tree.meta.items()],
    }


def _node_record(node: Node) -> dict[str, Any]:
    label = node.label
    return {
        "parent": node.parent,
        "text": node.text,
        "label": label
        and {"value": label.value, "source": label.source, "stderr": label.stderr, "rollouts": label.rollouts},
        "score": node.score,
        "finish": node.finish,
        "thought": node.thought,
        "raw": node.raw,
        "ids": None if node.ids is None else list(node.ids),
    }


def from_record(record: dict[str, Any]) -> StepTree:
    """The tree of a JSON record.

    Raises:
        InputError: a field is missing, of a wrong type, or breaks an invariant of StepTree.
    """
    if record.get("schema") != SCHEMA:
        raise InputError("unknown tree schema", got=record.get("schema"), expected=f"schema {SCHEMA}")
    try:
        problem = _problem(record["problem"])
        tree = StepTree(problem, meta={item["key"]: item["value"] for item in record.get("meta") or ()})
        for index, node in enumerate(record["nodes"]):
            parent, text, label, finish = node["parent"], node["text"], node.get("label"), node.get("finish")
            if not isinstance(text, str) or not isinstance(parent, int):
                raise InputError(f"node {index} has a wrong type", got=node, expected="text: str, parent: int")
            if finish is not None and finish not in _FINISHES:
                raise InputError(f"node {index} ended for no known reason", got=finish)
            thought, raw, ids = _written(node, index)
            tree.append(
                Node(
                    parent=parent,
                    text=text,
                    label=Label(**label) if label else None,
                    score=node.get("score"),
                    finish=finish,
                    thought=thought,
                    raw=raw,
                    ids=None if ids is None else array("I", ids),
                )
            )
    except (KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"not a tree ({type(error).__name__}: {error})", expected="the schema of docs/trees.md"
        ) from None
    return tree


def _written(node: dict[str, Any], index: int) -> tuple[bool, str | None, list[int] | None]:
    """How the step was written, of which files of earlier versions say nothing: whether in a thought, raw, and ids."""
    thought, raw, ids = node.get("thought", False), node.get("raw"), node.get("ids")
    if not isinstance(thought, bool) or not (raw is None or isinstance(raw, str)):
        raise InputError(
            f"node {index} has a wrong type", got=(thought, raw), expected="thought: true or false, raw: text"
        )
    if ids is not None and not (
        isinstance(ids, list) and all(type(token) is int and 0 <= token < 2**32 for token in ids)
    ):
        raise InputError(f"node {index} has a wrong type", got=ids, expected="ids: a list of token ids")
    return thought, raw, ids


def _problem(record: dict[str, Any]) -> Problem:
    for name in ("id", "prompt"):
        if not isinstance(record[name], str):
            raise InputError(f"illegal problem.{name}", got=record[name], expected="text")
    for name in _TEXTS_OR_NOTHING:
        value = record.get(name)
        if value is not None and not isinstance(value, str):
            raise InputError(f"illegal problem.{name}", got=value, expected="text or null")
    for name, known in _WORDS.items():
        if name in record and record[name] not in known:
            raise InputError(f"illegal problem.{name}", got=record[name], expected=" or ".join(known))
    tolerance = record.get("atol", 0.0)
    if isinstance(tolerance, bool) or not isinstance(tolerance, int | float):
        raise InputError("illegal problem.atol", got=tolerance, expected="a number")
    return Problem(**{**record, "tests": tuple(map(_case, record.get("tests") or ()))})


def _case(record: dict[str, Any]) -> Case:
    test = Case(**record)
    if not isinstance(test.input, str) or not isinstance(test.output, str | None):
        raise InputError("illegal test", got=(test.input, test.output), expected="texts")
    if not isinstance(test.public, bool):
        raise InputError("illegal test", got=test.public, expected="public: true or false")
    return test
