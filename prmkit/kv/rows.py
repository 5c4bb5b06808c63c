"""Key-values of rows of different lengths, side by side in one buffer, and the forward pass over them.

A row begins at position 0 and grows at its own end, so rows join, grow and leave without moving one another.

Shapes: L layers, R room for rows, B rows in use, H key-value heads, G query heads for each of them, T room for tokens,
N new tokens of a row, K longest row, D head size, E hidden size.
"""

import math
from typing import Any, NamedTuple, cast
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import pad
from transformers import Cache, PreTrainedModel

from prmkit.models.layout import Layout, laid_out

_CACHE_LINE = 64


class KVShape(NamedTuple):
    """What a model keeps of a token: layers, heads in each, and the sizes of a head's key and value."""

    layers: int
    heads: int
    key: int
    value: int

    @property
    def size(self) -> int:
        """The room for a key or a value."""
        return max(self.key, self.value)


class _KeysAndValues(Cache):
    """A cache of nothing but keys and values."""

    def __init__(self) -> None:
        super().__init__(layers=[])

    def _refused(self, *args: Any, **kwargs: Any) -> Any:
        raise ValueError("layers that keep more of a text than keys and values")

    update_conv_state = update_recurrent_state = update_indexer = has_previous_state = _refused


class KVRows(_KeysAndValues):
    """A buffer of key-values for up to ``rows`` rows of up to ``length`` tokens. What it holds is always finite.

    On a CPU room that was never used takes no memory.

    Args:
        known_L2RHTD: what its first rows begin with, copied.
    """

    def __init__(self, model: PreTrainedModel, rows: int, length: int, known_L2RHTD: Tensor | None = None) -> None:
        super().__init__()
        shape = kv_shape(model)
        # Zeros: attention weighs what lies behind a row's end with 0, and 0 times a stray NaN is NaN.
        self.kv_L2RHTD = _zeros((shape.layers, 2, rows, shape.heads, length, shape.size), model.dtype, model.device)
        if known_L2RHTD is not None:
            self.kv_L2RHTD[:, :, : known_L2RHTD.shape[2], :, : known_L2RHTD.shape[4]] = known_L2RHTD
        self._places: Tensor | None = None
        self._rows, self._longest, self._past = 0, 0, 0

    @property
    def room(self) -> tuple[int, int]:
        """How many rows, and how many tokens a row, it has room for."""
        return self.kv_L2RHTD.shape[2], self.kv_L2RHTD.shape[4]

    def put(self, row: int, begin: int, kv_L2HTD: Tensor) -> None:
        """Write key-values into a row, the first at position ``begin``."""
        self.kv_L2RHTD[:, :, row, :, begin : begin + kv_L2HTD.shape[3]] = kv_L2HTD

    def take(self, row: int, begin: int, end: int) -> Tensor:
        """A copy of the key-values of positions ``begin`` to ``end`` of a row, shape (L, 2, H, T, D)."""
        return self.kv_L2RHTD[:, :, row, :, begin:end].clone(memory_format=torch.contiguous_format)

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first ``length`` tokens of a row over another."""
        self.kv_L2RHTD[:, :, target, :, :length] = self.kv_L2RHTD[:, :, source, :, :length]

    def aim(self, positions_BN: Tensor, longest: int) -> None:
        """Say where the next forward pass writes: token n of row b at ``positions_BN[b, n]``, below ``longest``."""
        _, _, _, heads, length, _ = self.kv_L2RHTD.shape
        head_of_BH = torch.arange(len(positions_BN) * heads, device=positions_BN.device).view(-1, heads) * length
        self._places = (head_of_BH[:, :, None] + positions_BN[:, None]).flatten()
        self._rows, self._longest, self._past = len(positions_BN), longest, longest - positions_BN.shape[1]

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Called by the model in each layer: keeps the new keys and values and returns all of the rows in use."""
        assert self._places is not None
        both = []
        for side, new_BHND in enumerate((key_states, value_states)):
            room_RHTD = self.kv_L2RHTD[layer_idx, side]
            size, given = room_RHTD.shape[-1], new_BHND.shape[-1]
            flat_MD = new_BHND.flatten(end_dim=2)
            room_RHTD.view(-1, size).index_copy_(
                0, self._places, flat_MD if given == size else pad(flat_MD, (0, size - given))
            )
            both.append(room_RHTD[: self._rows, :, : self._longest, :given])
        return both[0], both[1]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Tokens of the longest row, the new ones not counted; a model that is given positions does not rely on it."""
        return self._past

    def get_query_offset(self, layer_idx: int = 0) -> int:
        """As for the length."""
        return self._past

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        """How many tokens are attended to at most, and where they begin."""
        return self._longest, 0


def advance(model: PreTrainedModel, rows: KVRows, ids_BN: Tensor, lengths: list[int]) -> Tensor:
    """Compute N new tokens for each of the first B rows; returns the last hidden states, shape (B, N, E).

    Args:
        model: without its LM head.
        rows: their key-values, to which the new ones are added. It has room for N tokens beyond the longest row.
        ids_BN: the new tokens; a row with fewer is padded on the right, and its padding leaves no trace that counts.
        lengths: tokens of each row before.
    """
    new = ids_BN.shape[1]
    longest = rows.room[1] if by_products(ids_BN.device, new) else max(lengths) + new
    positions_BN = torch.tensor(lengths, device=ids_BN.device)[:, None] + torch.arange(new, device=ids_BN.device)
    rows.aim(positions_BN, longest)
    with laid_out(Layout(positions_BN, torch.arange(longest, device=ids_BN.device)[None])):
        output = model(input_ids=ids_BN, position_ids=positions_BN, past_key_values=rows, use_cache=True)
    return cast(Tensor, output.last_hidden_state)


def by_products(device: torch.device, new: int) -> bool:
    """Whether attention is plain products over the whole room.

    On a CPU, torch's kernel is made for many queries, and takes up to twice as long for one. And what is read without
    gaps comes up to three times as fast from memory.
    """
    return new == 1 and device.type == "cpu"


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Zeros. On a CPU they take no memory where nothing was written; torch's own are all written at once."""
    if device.type != "cpu":
        return torch.zeros(shape, dtype=dtype, device=device)
    count = math.prod(shape) * dtype.itemsize
    bytes_N = torch.from_numpy(np.zeros(count + _CACHE_LINE, dtype=np.uint8))
    begin = -bytes_N.data_ptr() % _CACHE_LINE
    return bytes_N[begin : begin + count].view(dtype).view(shape)


def token_bytes(model: PreTrainedModel) -> int:
    """Memory of the key-values of one token."""
    shape = kv_shape(model)
    return 2 * shape.layers * shape.heads * shape.size * model.dtype.itemsize


_SHAPES: WeakKeyDictionary[PreTrainedModel, KVShape] = WeakKeyDictionary()


def kv_shape(model: PreTrainedModel) -> KVShape:
    """What a model keeps of a token, as one forward pass shows it.

    Raises:
        ValueError: not all layers keep keys and values of one shape.
    """
    if model not in _SHAPES:
        seen = _Seen()
        with torch.inference_mode():
            model(input_ids=torch.zeros(1, 1, dtype=torch.long, device=model.device), past_key_values=seen)
        shapes = set(seen.shapes.values())
        if len(shapes) != 1 or sorted(seen.shapes) != list(range(model.config.num_hidden_layers)):
            raise ValueError("layers that do not all keep keys and values of one shape")
        _SHAPES[model] = KVShape(len(seen.shapes), *shapes.pop())
    return _SHAPES[model]


class _Seen(_KeysAndValues):
    """Keeps nothing, and sees what it was to keep."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: dict[int, tuple[int, int, int]] = {}

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        self.shapes[layer_idx] = key_states.shape[1], key_states.shape[3], value_states.shape[3]
        return key_states, value_states

    def get_seq_length(self, layer_idx: int = 0) -> int:
        return 0

    def get_query_offset(self, layer_idx: int = 0) -> int:
        return 0

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        return query_length, 0
