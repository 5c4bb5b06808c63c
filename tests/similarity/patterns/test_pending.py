from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from prmkit.errors import RunError
from prmkit.run.ranks import Process
from prmkit.similarity.patterns.job import TileGram
from prmkit.similarity.patterns.parameters import LayerPart, Tile
from prmkit.similarity.patterns.pending import check_finite, check_not_zero, fill, wait_for_all
from prmkit.similarity.patterns.store import PartStore
from tests.similarity.patterns.written import Written, weight

SHAPES = [[(5, 1), (2, 2)], [(3, 2)], [(1, 4)]]
"""Three parts: 5 + 2 rows, 3 rows, 1 row."""


class Counting:
    """An engine whose Gram of a tile is the number of its rows, and whose sums are the number of its values."""

    def __init__(self, *, responses: int = 2, dies_after: int = 99) -> None:
        self.responses, self.left = responses, dies_after
        self.asked: list[Tile] = []

    def __call__(self, tiles: Sequence[Tile]) -> Iterator[TileGram]:
        self.asked += tiles
        for tile in tiles:
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            rows = float(tile.stop - tile.start)
            square = np.full((self.responses, self.responses), rows)
            yield TileGram(tile=tile, gram=square, l1=np.full(self.responses, float(tile.size)))

    @property
    def rows(self) -> set[tuple[str, int]]:
        return {(tile.weight.name, row) for tile in self.asked for row in range(tile.start, tile.stop)}


def work(shard: str = "layer") -> Written:
    return Written([[0.0] * 19] * 2, SHAPES, shard=shard)


@pytest.fixture
def barriers(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    waited: list[None] = []
    monkeypatch.setattr(torch.distributed, "barrier", lambda: waited.append(None))
    return waited


def totals(store: PartStore) -> list[tuple[float, float]]:
    """The rows and the values of each part."""
    found = [store.whole(number) for number in range(len(SHAPES))]
    return [(float(one.gram[0, 1]), float(one.l1[0])) for one in found]


WHOLE = [(7.0, 9.0), (3.0, 6.0), (1.0, 4.0)]


def test_the_tiles_of_a_part_are_added_up() -> None:
    written, store = work(), PartStore(None, Process(), "layer")
    fill(store, written.job, written.parts, Counting(), Process())
    assert totals(store) == WHOLE


@pytest.mark.parametrize("shard", ["layer", "rows"])
@pytest.mark.parametrize("world", [1, 2, 3, 4, 8])
def test_processes_share_all_rows_and_add_up_to_the_whole(
    tmp_path: Path, barriers: list[None], shard: str, world: int
) -> None:
    """Also where there are more processes than a part has rows, so that some have nothing to do of it."""
    rows = []
    for rank in range(world):
        written, engine, process = work(shard), Counting(), Process(rank, world)
        fill(PartStore(tmp_path, process, shard), written.job, written.parts, engine, process)
        rows += sorted(engine.rows)
    shapes = {f"{part}.{n}": shape for part, weights in enumerate(SHAPES) for n, shape in enumerate(weights)}
    every = {(name, row) for name, (height, _) in shapes.items() for row in range(height)}
    assert len(rows) == len(every)  # none twice
    assert set(rows) == every
    assert totals(PartStore(tmp_path, Process(0, world), shard)) == WHOLE
    assert len(barriers) == (world if world > 1 else 0)


def test_rows_are_shared_evenly(tmp_path: Path, barriers: list[None]) -> None:
    sizes = []
    for rank in range(3):
        written, engine, process = Written([[0.0] * 16] * 2, [[(16, 1)]], shard="rows"), Counting(), Process(rank, 3)
        fill(PartStore(tmp_path, process, "rows"), written.job, written.parts, engine, process)
        sizes.append(len(engine.rows))
    assert sizes == [5, 5, 6]


@pytest.mark.parametrize("shard", ["layer", "rows"])
@pytest.mark.parametrize("process", [Process(0, 1), Process(0, 3), Process(2, 3)])
def test_what_is_there_is_not_asked_for(tmp_path: Path, barriers: list[None], shard: str, process: Process) -> None:
    asked = []
    for _ in range(2):
        written, engine = work(shard), Counting()
        fill(PartStore(tmp_path, process, shard), written.job, written.parts, engine, process)
        asked.append(len(engine.asked))
    assert asked[0] > 0
    assert asked[1] == 0


def test_a_part_is_kept_when_its_last_tile_is_done(tmp_path: Path) -> None:
    written, killed = work(), Counting(dies_after=3)  # both tiles of part 0, and part 1
    with pytest.raises(KeyboardInterrupt):
        fill(PartStore(tmp_path, Process(), "layer"), written.job, written.parts, killed, Process())
    again = Counting()
    store = PartStore(tmp_path, Process(), "layer")
    fill(store, written.job, written.parts, again, Process())
    assert [tile.weight.name for tile in again.asked] == ["2.0"]
    assert totals(store) == WHOLE


def test_half_of_a_part_is_not_kept(tmp_path: Path) -> None:
    written = work()
    with pytest.raises(KeyboardInterrupt):
        fill(PartStore(tmp_path, Process(), "layer"), written.job, written.parts, Counting(dies_after=1), Process())
    assert PartStore(tmp_path, Process(), "layer").get(0) is None


def test_a_broken_part_is_made_again(tmp_path: Path) -> None:
    written = work()
    fill(PartStore(tmp_path, Process(), "layer"), written.job, written.parts, Counting(), Process())
    sorted(tmp_path.iterdir())[1].write_bytes(b"torn")
    again = Counting()
    fill(PartStore(tmp_path, Process(), "layer"), written.job, written.parts, again, Process())
    assert [tile.weight.name for tile in again.asked] == ["1.0"]


def test_the_predicted_tokens_go_with_every_part() -> None:
    written, store = work(), PartStore(None, Process(), "layer")
    written.job.predicted[:] = [7, 8]
    fill(store, written.job, written.parts, Counting(), Process())
    assert [store.whole(number).predicted.tolist() for number in range(3)] == [[7, 8]] * 3


@pytest.mark.parametrize("shape", [(2, 2), (2,), (2, 3)])  # a Gram, dots with themselves, dots with three sets
@pytest.mark.parametrize("where", ["gram", "l1"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pattern_that_is_no_number_names_its_response_and_layer(
    shape: tuple[int, ...], where: str, value: float
) -> None:
    def engine(tiles: Sequence[Tile]) -> Iterator[TileGram]:
        for tile in tiles:
            gram, l1 = np.ones(shape), np.ones(2)
            if tile.part == 1:
                (gram if where == "gram" else l1)[1] = value
            yield TileGram(tile=tile, gram=gram, l1=l1)

    written, store = work(), PartStore(None, Process(), "layer")
    with pytest.raises(RunError, match=r"^1: the gradient of layer 1 is not finite\. Load the reference model in"):
        fill(store, written.job, written.parts, engine, Process())
    assert [store.get(number) is None for number in range(3)] == [False, True, True]


def test_a_bad_response_of_a_gram_is_not_blamed_on_its_neighbours() -> None:
    """A row and a column of a Gram are no numbers where one response is none."""
    gram_NN = np.ones((3, 3))
    gram_NN[2] = gram_NN[:, 2] = np.nan
    job = Written([[0.0]] * 3, [[(1, 1)]]).job
    part = LayerPart(layer=4, kind="mlp", weights=(weight("w", (1, 1)),))

    def engine(tiles: Sequence[Tile]) -> Iterator[TileGram]:
        yield TileGram(tile=tiles[0], gram=gram_NN, l1=np.ones(3))

    with pytest.raises(RunError, match=r"^2: the gradient of layer 4"):
        fill(PartStore(None, Process(), "layer"), job, [part], engine, Process())


def test_checks_name_the_first_response_that_fails() -> None:
    check_finite(np.array([1.0, 0.0]), "layer 3", ["a", "b"])
    with pytest.raises(RunError, match=r"^b: the gradient of layer 3 is not finite"):
        check_finite(np.array([1.0, np.inf, np.nan]), "layer 3", ["a", "b", "c"])
    check_not_zero(np.array([1.0, 1e-30]), ["a", "b"])
    with pytest.raises(RunError, match=r"^b: every gradient is zero"):
        check_not_zero(np.array([1.0, 0.0, 0.0]), ["a", "b", "c"])


def test_a_process_alone_waits_for_nobody(barriers: list[None]) -> None:
    wait_for_all(Process())
    assert barriers == []
    wait_for_all(Process(1, 2))
    assert barriers == [None]
