import pytest
import torch

from prmkit.kv.prepared import prepared
from prmkit.kv.rows import KVRows, advance
from tests.kv.test_reader import make, plain

TEXTS = [[1, 2, 3, 4, 5, 6, 7], [9, 8, 7, 6], [3, 1, 4, 1, 5]]


@pytest.mark.parametrize("begin", [1, 3])
@pytest.mark.parametrize("kind", ["qwen2", "llama", "qwen3"])
def test_rows_that_grow_by_single_tokens_give_what_they_give_in_one_piece(kind: str, begin: int) -> None:
    """Rows of different lengths, in a room that is longer and holds what others have left there."""
    model = make(kind)
    expected = [plain(model, ids) for ids in TEXTS]
    rows = KVRows(prepared(model), 5, 12)
    rows.kv_L2RHTD.normal_()
    lengths = [len(ids) - begin for ids in TEXTS]
    with torch.inference_mode():
        first = torch.tensor([ids[:1] * 6 for ids in TEXTS])
        for row, ids in enumerate(TEXTS):
            first[row, : lengths[row]] = torch.tensor(ids[: lengths[row]])
        advance(model, rows, first, [0, 0, 0])
        for step in range(begin):
            ids_B1 = torch.tensor([[ids[length]] for ids, length in zip(TEXTS, lengths, strict=True)])
            hidden_BE = advance(model, rows, ids_B1, lengths)[:, 0]
            for row, length in enumerate(lengths):
                assert torch.allclose(hidden_BE[row], expected[row][length], atol=1e-5), step
            lengths = [length + 1 for length in lengths]


def test_a_row_is_moved_and_taken_whole() -> None:
    model = prepared(make("qwen2"))
    rows = KVRows(model, 3, 8)
    with torch.inference_mode():
        advance(model, rows, torch.tensor([TEXTS[1], TEXTS[1][::-1]]), [0, 0])
        kept = rows.take(0, 1, 3)
        assert kept.shape == (2, 2, 2, 2, 8)
        rows.move(0, 2, 4)
        assert torch.equal(rows.take(2, 1, 3), kept)
        rows.put(1, 1, kept)
        assert torch.equal(rows.take(1, 1, 3), kept)
        rows.kv_L2RHTD.zero_()
    assert kept.abs().sum() > 0  # a copy


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_larger_buffer_begins_with_what_the_smaller_one_held_and_goes_on_with_zeros(dtype: torch.dtype) -> None:
    model = make("qwen2").to(dtype)
    small = KVRows(model, 3, 8)
    assert small.kv_L2RHTD.dtype == dtype
    assert not small.kv_L2RHTD.any()
    small.kv_L2RHTD.normal_()
    large = KVRows(model, 5, 11, small.kv_L2RHTD[:, :, :2, :, :7])
    assert large.room == (5, 11)
    assert torch.equal(large.kv_L2RHTD[:, :, :2, :, :7], small.kv_L2RHTD[:, :, :2, :, :7])
    assert not large.kv_L2RHTD[:, :, 2:].any()
    assert not large.kv_L2RHTD[:, :, :, :, 7:].any()
    assert large.kv_L2RHTD.data_ptr() % 64 == 0
