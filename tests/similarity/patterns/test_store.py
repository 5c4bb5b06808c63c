from pathlib import Path

import numpy as np
import pytest

from prmkit.errors import RunError
from prmkit.run.ranks import Process
from prmkit.similarity.patterns.store import PartGram, PartStore


def part(value: float) -> PartGram:
    return PartGram(np.full((2, 2), value), np.full(2, value), np.array([-1, int(value)]))


def test_parts_by_rows_are_added_up_over_processes(tmp_path: Path) -> None:
    first, second = (PartStore(tmp_path, Process(rank, 2), "rows") for rank in range(2))
    first.put(0, part(1.0))
    with pytest.raises(RunError, match=r"part 0 was not finished.*--resume"):
        first.whole(0)
    second.put(0, part(2.0))
    whole = first.whole(0)
    np.testing.assert_array_equal(whole.gram, 3.0)
    np.testing.assert_array_equal(whole.predicted, [-1, 2])


def test_parts_by_layer_are_taken_from_the_process_that_has_them(tmp_path: Path) -> None:
    first, second = (PartStore(tmp_path, Process(rank, 2), "layer") for rank in range(2))
    first.put(0, part(1.0))
    second.put(1, part(2.0))
    assert [first.whole(number).l1[0] for number in range(2)] == [1.0, 2.0]


def test_another_division_of_the_work_finds_nothing(tmp_path: Path) -> None:
    PartStore(tmp_path, Process(0, 2), "rows").put(0, part(1.0))
    assert PartStore(tmp_path, Process(0, 3), "rows").get(0) is None
    assert PartStore(tmp_path, Process(0, 2), "layer").get(0) is None
    assert PartStore(tmp_path, Process(0, 2), "rows").get(0) is not None


def test_without_a_folder_parts_are_in_memory() -> None:
    store = PartStore(None, Process(), "layer")
    assert store.get(0) is None
    store.put(0, part(1.0))
    np.testing.assert_array_equal(store.whole(0).gram, 1.0)
