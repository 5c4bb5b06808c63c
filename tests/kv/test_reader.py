import logging
from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModel, PreTrainedModel

from prmkit.errors import RunError
from prmkit.kv import reader as kv_reader
from prmkit.kv.prepared import prepared
from prmkit.kv.reader import KVReader, SequenceReading
from prmkit.kv.rows import KVRows, token_bytes
from prmkit.kv.tree import KVTree


def make(kind: str, **more: object) -> PreTrainedModel:
    """Four query heads on two key-value heads."""
    settings = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 48,
        "vocab_size": 20,
        "max_position_embeddings": 128,
    }
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return AutoModel.from_config(AutoConfig.for_model(kind, **settings | more)).eval()


def plain(model: PreTrainedModel, ids: list[int]) -> Tensor:
    with torch.inference_mode():
        return model(torch.tensor([ids]), use_cache=False).last_hidden_state[0]


SEQUENCES = [
    [1, 2, 3, 4, 5, 6],
    [1, 2, 3, 7],
    [1, 2],
    [9, 8, 7, 6, 5, 4, 3, 2],
    [1, 2, 3, 4, 5, 6, 10, 11],
    [1, 2, 3, 7, 7],
]


@pytest.fixture(params=["qwen2", "llama", "qwen3"])
def model(request: pytest.FixtureRequest) -> PreTrainedModel:
    return make(request.param)


def ends(sequences: list[list[int]]) -> list[list[int]]:
    return [[0, len(ids) - 1] for ids in sequences]


def check(model: PreTrainedModel, sequences: list[list[int]], readings: list[SequenceReading]) -> None:
    for ids, reading in zip(sequences, readings, strict=True):
        expected = plain(model, ids)[[0, -1]]
        assert torch.allclose(reading.hidden_SE, expected, atol=1e-5)


def test_hidden_states_are_those_of_a_plain_forward_and_each_prefix_is_computed_once(model: PreTrainedModel) -> None:
    reader = KVReader(prepared(model), KVTree(1 << 20), max_tokens=64)
    readings = reader.read(SEQUENCES, ends(SEQUENCES))
    check(model, SEQUENCES, readings)
    prefixes = {tuple(ids[:length]) for ids in SEQUENCES for length in range(1, len(ids) + 1)}
    assert sum(reading.tokens for reading in readings) == len(prefixes)
    again = reader.read(SEQUENCES[::-1], ends(SEQUENCES[::-1]))
    check(model, SEQUENCES[::-1], again)
    assert sum(reading.tokens for reading in again) == 0


def test_who_asked_is_told_of_each_pass_as_it_is_done(model: PreTrainedModel) -> None:
    told: list[int] = []
    reader = KVReader(prepared(model), KVTree(1 << 20), max_tokens=1, told=told.append)
    readings = reader.read(SEQUENCES, ends(SEQUENCES))
    assert sum(told) == sum(reading.tokens for reading in readings)
    # A row a pass: the two longest sequences, and the two tokens of the others that are in neither.
    assert sorted(told) == [2, 8, 8]


@pytest.mark.parametrize(("max_tokens", "limit"), [(1, 1 << 20), (64, 0), (12, 600)])
def test_batch_order_and_evictions_change_nothing(model: PreTrainedModel, max_tokens: int, limit: int) -> None:
    reader = KVReader(prepared(model), KVTree(limit), max_tokens=max_tokens)
    for order in (SEQUENCES, SEQUENCES[::-1], SEQUENCES[2:4]):
        readings = reader.read(order, ends(order))
        check(model, order, readings)
        for reading in readings:
            reader.tree.release(reading.node)
        assert reader.tree.bytes <= limit


def test_a_long_text_in_pieces_is_the_text_as_a_whole(model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kv_reader, "_COLUMNS", 3)
    check(model, SEQUENCES, KVReader(prepared(model), KVTree(0), max_tokens=64).read(SEQUENCES, ends(SEQUENCES)))


def test_a_state_that_was_not_kept_costs_one_token(model: PreTrainedModel) -> None:
    reader = KVReader(prepared(model), KVTree(1 << 20), max_tokens=64)
    reader.read([SEQUENCES[0]], [[5]])
    (reading,) = reader.read([SEQUENCES[0]], [[1, 2, 5]])
    assert torch.allclose(reading.hidden_SE, plain(model, SEQUENCES[0])[[1, 2, 5]], atol=1e-5)
    assert reading.spans == [(1, 1), (2, 1)]


def test_the_first_who_asks_pays(model: PreTrainedModel) -> None:
    reader = KVReader(prepared(model), KVTree(1 << 20), max_tokens=64)
    first, second = reader.read([[1, 2, 3], [1, 2, 4, 5]], [[], []])
    assert (first.spans, second.spans) == ([(0, 2), (2, 1)], [(2, 2)])


def failing(times: int, rows: int) -> Callable[..., Tensor]:
    """``advance`` that runs out of memory the first so many times that it is given so many rows or more."""
    left = [times]

    def advance(model: PreTrainedModel, kv: object, ids_BN: Tensor, lengths: list[int]) -> Tensor:
        if len(ids_BN) >= rows and left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        return kv_reader_advance(model, kv, ids_BN, lengths)  # type: ignore[arg-type]

    return advance


kv_reader_advance = kv_reader.advance


def test_out_of_memory_makes_smaller_passes_says_so_once_and_loses_nothing(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(kv_reader, "advance", failing(100, rows=2))
    reader = KVReader(prepared(model), KVTree(1 << 20), max_tokens=256)
    with caplog.at_level(logging.WARNING):
        check(model, SEQUENCES, reader.read(SEQUENCES, ends(SEQUENCES)))
    assert [record.message.split(":")[0] for record in caplog.records] == ["out of memory"]
    assert reader.max_tokens < 64


def test_a_sequence_too_long_for_the_memory_is_an_error_and_the_others_are_read(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def advance(model: PreTrainedModel, kv: object, ids_BN: Tensor, lengths: list[int]) -> Tensor:
        if ids_BN.shape[1] > 6:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return kv_reader_advance(model, kv, ids_BN, lengths)  # type: ignore[arg-type]

    monkeypatch.setattr(kv_reader, "advance", advance)
    reader = KVReader(prepared(model), KVTree(1 << 20), max_tokens=64)
    good, bad, other = reader.read_each([SEQUENCES[0], SEQUENCES[3], SEQUENCES[1]], [[5], [7], [3]])
    assert isinstance(bad, RunError)
    assert "the memory does not suffice for one sequence" in str(bad)
    for reading, ids in ((good, SEQUENCES[0]), (other, SEQUENCES[1])):
        assert isinstance(reading, SequenceReading)
        assert torch.allclose(reading.hidden_SE[0], plain(model, ids)[-1], atol=1e-5)
        reader.tree.release(reading.node)
    reader.tree.evict(0)
    assert reader.tree.bytes == 0
    assert not list(reader.tree)


def test_a_token_takes_keys_and_values_of_every_layer_and_head(model: PreTrainedModel) -> None:
    reader = KVReader(prepared(model), KVTree(1 << 20), max_tokens=64)
    size = getattr(model.config, "head_dim", None) or 8
    assert token_bytes(model) == 2 * 2 * 2 * size * 4
    reader.read([[1, 2, 3]], [[]])
    assert reader.tree.bytes == 3 * token_bytes(model)


def test_a_window_as_wide_as_the_context_hides_nothing() -> None:
    model = make("mistral", sliding_window=128)
    check(model, SEQUENCES, KVReader(prepared(model), KVTree(0), max_tokens=64).read(SEQUENCES, ends(SEQUENCES)))


def test_on_a_cpu_rows_of_very_different_length_are_read_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    shapes: list[tuple[int, ...]] = []
    real = kv_reader.advance

    def advance(model: PreTrainedModel, rows: KVRows, ids_BN: Tensor, lengths: list[int]) -> Tensor:
        shapes.append(tuple(ids_BN.shape))
        return real(model, rows, ids_BN, lengths)

    monkeypatch.setattr(kv_reader, "advance", advance)
    model = make("qwen2")
    sequences = [[first] * length for first, length in enumerate((100, 40, 37, 30, 9))]
    reader = KVReader(prepared(model), KVTree(1 << 20), max_tokens=1024)
    check(model, sequences, reader.read(sequences, ends(sequences)))
    # Beside 100 tokens 60 are padding, and 63 more would be; beside 37 it is 7, and 28 more.
    assert shapes == [(2, 100), (3, 37)]
