import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.similarity.patterns.parameters import tiles_of
from prmkit.similarity.patterns.tiles import passes, stored_grams
from tests.similarity.patterns.written import Written, weight, whole

ROW = 2 * 3 * 4
"""Bytes of a row of 3 values of 2 responses."""

PATTERNS = [[1.0, 2.0, 0.0, 3.0, 1.0, 1.0], [0.0, 1.0, 2.0, 0.0, 4.0, 0.0], [2.0, 0.0, 1.0, 1.0, 1.0, 5.0]]


def cut(shapes: list[tuple[int, int]], limit: float, responses: int = 2) -> list[list[tuple[str, int, int]]]:
    tiles = [whole(weight(str(number), shape)) for number, shape in enumerate(shapes)]
    return [[(tile.weight.name, tile.start, tile.stop) for tile in group] for group in passes(tiles, responses, limit)]


def test_what_fits_is_one_pass() -> None:
    assert cut([(4, 3), (2, 3)], 6 * ROW) == [[("0", 0, 4), ("1", 0, 2)]]


def test_what_does_not_fit_together_takes_a_pass_more() -> None:
    assert cut([(4, 3), (2, 3), (3, 3)], 5 * ROW) == [[("0", 0, 4)], [("1", 0, 2), ("2", 0, 3)]]


def test_a_matrix_that_does_not_fit_is_cut_into_rows() -> None:
    # Five rows in twos; the odd one leaves room for the next weight.
    assert cut([(5, 3), (1, 3)], 2 * ROW) == [[("0", 0, 2)], [("0", 2, 4)], [("0", 4, 5), ("1", 0, 1)]]


def test_nothing_takes_no_pass() -> None:
    assert cut([], 1.0) == []


def test_a_row_that_does_not_fit_is_refused() -> None:
    message = (
        r"^1: the patterns over one row of a weight do not fit in memory, "
        r"got '2 responses x 3 weights = 2.24e-08 GiB'; expected at most 2.14e-08 GiB\. "
        r"Use fewer responses, or raise pattern\.memory_gib\.$"
    )
    with pytest.raises(InputError, match=message):
        cut([(1, 1), (9, 3)], ROW - 1)
    assert cut([(1, 3)], ROW) == [[("0", 0, 1)]]  # to the last byte


@given(st.lists(st.tuples(st.integers(1, 9), st.integers(1, 5)), max_size=6), st.integers(1, 4), st.integers(80, 400))
def test_every_row_is_in_one_pass_and_every_pass_fits(
    shapes: list[tuple[int, int]], responses: int, limit: int
) -> None:
    groups = cut(shapes, limit, responses)
    widths = {str(number): width for number, (_, width) in enumerate(shapes)}
    pieces = [piece for group in groups for piece in group]
    rows = [(name, row) for name, start, stop in pieces for row in range(start, stop)]
    assert rows == [(str(number), row) for number, (height, _) in enumerate(shapes) for row in range(height)]
    for group in groups:
        assert 0 < sum((stop - start) * widths[name] * responses * 4 for name, start, stop in group) <= limit


@pytest.mark.parametrize("memory", [1.0, 2 * 3 * 4 / 2**30])  # all at once; two values of three responses
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_the_gram_of_a_tile_holds_the_dots_and_sums_of_its_patterns(memory: float, batch: int) -> None:
    written = Written(PATTERNS, [[(1, 2)], [(2, 1), (1, 2)]], batch=batch, memory_gib=memory)
    found = list(stored_grams(written.job, tiles_of(enumerate(written.parts)), written))
    # Of the two weights of part 1 the second stands right of the first.
    assert [(one.tile.weight.name, one.tile.start, one.tile.stop) for one in found] == [
        ("0.0", 0, 1),
        ("1.0", 0, 2),
        ("1.1", 0, 1),
    ]
    columns = [[0, 1], [2, 3], [4, 5]]
    for one, kept in zip(found, columns, strict=True):
        patterns = np.array(PATTERNS)[:, kept]
        np.testing.assert_array_equal(one.gram, patterns @ patterns.T)
        np.testing.assert_array_equal(one.l1, patterns.sum(axis=1))
        assert (one.gram.dtype, one.l1.dtype) == (np.float64, np.float64)
    turns = 3 if memory < 1 else 1
    assert written.reads == written.done == turns * len(written.job.batches)
    assert written.job.predicted.tolist() == [100, 101, 102]


def test_a_gram_is_there_before_the_next_pass_is_read() -> None:
    """What is finished can be kept, so that a killed run goes on after it."""
    written = Written(PATTERNS, [[(1, 2)], [(2, 1), (1, 2)]], batch=3, memory_gib=2 * 3 * 4 / 2**30)
    grams = stored_grams(written.job, tiles_of(enumerate(written.parts)), written)
    next(grams)
    assert written.reads == 1
