from pathlib import Path

from prmkit.evaluate.resumable import Finished


def test_what_was_finished_is_known_again_and_a_torn_line_is_not(tmp_path: Path) -> None:
    file = tmp_path / "done.jsonl"
    first = Finished(file)
    assert first.get(0) is None
    first.put(0, {"right": [True]})
    first.put(2, {"right": []})
    with file.open("ab") as stream:
        stream.write(b'{"item": 1, "ri')  # killed in the middle of it
    second = Finished(file)
    assert second.get(0) == {"item": 0, "right": [True]}
    assert second.get(1) is None
    second.put(1, {"right": [False]})
    assert Finished(file).get(1) == {"item": 1, "right": [False]}


def test_without_a_file_nothing_is_kept() -> None:
    memory = Finished(None)
    memory.put(0, {"right": [True]})
    assert memory.get(0) is None
