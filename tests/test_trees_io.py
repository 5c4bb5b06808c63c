import os
import signal
import subprocess
import sys
from pathlib import Path

import datasets
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit import trees_io
from prmkit.errors import InputError
from prmkit.tree import Case, Label, Problem, StepTree
from prmkit.trees_io import (
    append_lines,
    append_tree,
    from_record,
    read_lines,
    read_trees,
    record_file,
    repair_lines,
    to_record,
    write_trees,
)

TEXT = st.text(min_size=1).filter(str.strip).filter(lambda text: text.encode("utf-8", "replace").decode() == text)


def rich_tree() -> StepTree:
    problem = Problem(
        id="p",
        prompt="two\nlines",
        domain="code",
        level="3",
        entry_point="f",
        tests=(Case(input="[1]", output="2"),),
        rule="apps",
        input_file="in",
        output_file="out",
    )
    tree = StepTree.from_steps(
        problem, ["a", "b"], [Label(value=0.75, source="monte-carlo", stderr=0.1, rollouts=4), None]
    )
    tree.add(0, "c", score=0.5, finish="eos")
    tree.meta["strategy"] = "majority"
    return tree


def test_a_tree_survives_the_file(tmp_path: Path) -> None:
    path = tmp_path / "trees.jsonl"
    assert write_trees(path, [rich_tree(), rich_tree()]) == 2
    assert list(read_trees(path)) == [rich_tree(), rich_tree()]


@given(st.lists(TEXT, min_size=1, max_size=5), TEXT)
def test_any_text_survives_the_record(steps: list[str], prompt: str) -> None:
    tree = StepTree.from_steps(Problem(id="p", prompt=prompt), steps)
    assert from_record(to_record(tree)) == tree


def test_the_hub_library_reads_the_file(tmp_path: Path) -> None:
    path = tmp_path / "trees.jsonl"
    plain = StepTree.from_steps(Problem(id="q", prompt="?"), ["x"])
    write_trees(path, [plain, rich_tree()])
    rows = datasets.load_dataset("json", data_files=str(path), split="train", cache_dir=str(tmp_path / "cache"))
    assert [row["nodes"][0]["text"] for row in rows] == ["x", "a"]


def test_a_torn_last_line_is_cut_off_and_the_rest_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "trees.jsonl"
    append_tree(path, rich_tree())
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:-10])
    assert repair_lines(path) == len(whole) - 10
    assert path.read_bytes() == whole
    assert repair_lines(path) == 0
    append_tree(path, rich_tree())
    assert len(list(read_trees(path))) == 2


def test_a_file_without_any_newline_is_one_torn_line(tmp_path: Path) -> None:
    path = tmp_path / "trees.jsonl"
    path.write_bytes(b"x" * 200_000)
    assert repair_lines(path) == 200_000
    assert path.read_bytes() == b""


def test_a_killed_writer_leaves_whole_lines(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    code = (
        "import sys, pathlib; from prmkit.trees_io import append_lines\n"
        "while True: append_lines(pathlib.Path(sys.argv[1]), [{'text': 'y' * 5000}])"
    )
    writer = subprocess.Popen([sys.executable, "-c", code, str(path)])
    while not path.exists() or path.stat().st_size < 100_000:
        pass
    os.kill(writer.pid, signal.SIGKILL)
    writer.wait()
    repair_lines(path)
    assert all(len(record["text"]) == 5000 for _, record in read_lines(path))


def test_a_file_is_never_overwritten_nor_left_half_written(tmp_path: Path) -> None:
    path = tmp_path / "trees.jsonl"

    def trees() -> "list[StepTree]":  # type: ignore[misc]
        yield rich_tree()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_trees(path, trees())
    assert list(tmp_path.iterdir()) == []
    write_trees(path, [rich_tree()])
    with pytest.raises(InputError, match="the file exists"):
        write_trees(path, [])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "not JSON"),
        (b"[]", "not a JSON object"),
        (b'{"schema": 2}', "unknown tree schema, got 2; expected schema 1"),
        (b'{"schema": 1}', "not a tree"),
        (
            b'{"schema": 1, "problem": {"id": "p", "prompt": "?"}, "nodes": [{"parent": 3, "text": "a"}]}',
            "no such parent",
        ),
        (b'{"schema": 1, "problem": {"id": "p", "prompt": "?"}, "nodes": [{"parent": -1, "text": 3}]}', "wrong type"),
        (b'{"schema": 1, "problem": {"id": "p", "prompt": "?"}, "nodes": [{"parent": -1, "text": " "}]}', "empty step"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes, message: str) -> None:
    path = tmp_path / "trees.jsonl"
    append_tree(path, rich_tree())
    path.write_bytes(path.read_bytes() + line + b"\n")
    with pytest.raises(InputError, match=message) as raised:
        list(read_trees(path))
    assert str(raised.value).startswith(f"{path}:2: ")


def test_of_the_trees_of_one_problem_no_other_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Making them is most of what reading takes, and a file may have hundreds of large ones."""
    file = tmp_path / "trees.jsonl"
    write_trees(file, [StepTree.from_steps(Problem(id=name, prompt="?"), [name]) for name in ("a", "b", "a", "c")])
    made: list[str] = []
    monkeypatch.setattr(trees_io, "from_record", lambda record: made.append(str(record)) or from_record(record))
    assert [tree.nodes[0].text for tree in read_trees(file, only="a")] == ["a", "a"]
    assert len(made) == 2
    assert list(read_trees(file, only="d")) == []
    append_lines(file, [{"schema": 1, "problem": "?"}])  # of no problem that can be told
    with pytest.raises(InputError, match=r"trees\.jsonl:5: not a tree"):
        list(read_trees(file, only="d"))


def test_a_missing_and_an_empty_file_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        list(read_trees(tmp_path / "none.jsonl"))
    (tmp_path / "empty.jsonl").touch()
    with pytest.raises(InputError, match="the file holds no tree"):
        list(read_trees(tmp_path / "empty.jsonl"))


def test_append_lines_appends(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    append_lines(path, [{"a": 1}])
    append_lines(path, [{"a": 2}, {"a": 3}])
    assert [(number, record["a"]) for number, record in read_lines(path)] == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("answer", 2, "illegal problem.answer, got 2; expected text or null"),
        ("input_file", ["a"], "illegal problem.input_file"),
        ("tests", [{"input": 1}], "illegal test"),
        ("tests", [{"input": "1", "public": {}}], "illegal test, got {}; expected public: true or false"),
        ("tests", [{"colour": "red"}], "not a tree"),
        ("atol", "0.1", "illegal problem.atol, got '0.1'; expected a number"),
    ],
)
def test_a_field_of_the_problem_of_another_type_is_named(field: str, value: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_record({"schema": 1, "problem": {"id": "p", "prompt": "?", field: value}, "nodes": []})


def test_a_file_of_records_takes_the_place_of_another_only_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "new" / "records.jsonl"
    with record_file(path) as file:
        file.write({"a": 1})
        file.write({"a": 2})
        assert not path.exists()
    assert (file.count, path.read_text()) == (2, '{"a":1}\n{"a":2}\n')

    def failing(*, overwrite: bool | None = None) -> None:
        with record_file(path, overwrite=overwrite) as file:
            file.write({"a": 3})
            raise RuntimeError("as it is")

    with pytest.raises(RuntimeError, match="as it is"):
        failing(overwrite=True)
    assert path.read_text() == '{"a":1}\n{"a":2}\n'
    assert [file.name for file in path.parent.iterdir()] == ["records.jsonl"]
    for overwrite, cure in ((None, "Choose another name or remove it."), (False, "Give --overwrite")):
        with pytest.raises(InputError, match=rf"the file exists\. {cure}"):
            failing(overwrite=overwrite)
    with record_file(path, overwrite=True) as file:
        pass
    assert (file.count, path.read_text()) == (0, "")


def test_a_folder_is_no_file_to_write(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="it is a folder; expected the name of a file"),
        record_file(tmp_path, overwrite=True),
    ):
        pass
