"""Key-values of rows of different lengths, side by side in one buffer, and the forward pass over them.

A row begins at position 0 and grows at its own end, so rows join, grow and leave without moving one another.

Shapes: L layers, R room for rows, B rows in use, H key-value heads, G query heads for each of them, T room for tokens,
N new tokens of a row, K longest row, D head size, E hidden size.
"""

import math
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, AttentionMaskInterface, Cache, PreTrainedModel
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from prmkit.errors import InputError
from prmkit.kv.products import by_onednn

_CACHE_LINE = 64


class KVRows(Cache):
    """A buffer of key-values for up to ``rows`` rows of up to ``length`` tokens. What it holds is always finite.

    On a CPU room that was never used takes no memory.

    Args:
        known_L2RHTD: what its first rows begin with, copied.
    """

    def __init__(self, model: PreTrainedModel, rows: int, length: int, known_L2RHTD: Tensor | None = None) -> None:
        super().__init__(layers=[])
        layers, heads, size = _shape(model)
        # Zeros: attention weighs what lies behind a row's end with 0, and 0 times a stray NaN is NaN.
        self.kv_L2RHTD = _zeros((layers, 2, rows, heads, length, size), model.dtype, model.device)
        if known_L2RHTD is not None:
            self.kv_L2RHTD[:, :, : known_L2RHTD.shape[2], :, : known_L2RHTD.shape[4]] = known_L2RHTD
        self._places: Tensor | None = None
        self._rows, self._longest = 0, 0

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
        self._rows, self._longest = len(positions_BN), longest

    def update(
        self, key_states: Tensor, value_states: Tensor, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Called by the model in each layer: keeps the new keys and values and returns all of the rows in use."""
        assert self._places is not None
        both = []
        for side, new_BHND in enumerate((key_states, value_states)):
            room_RHTD = self.kv_L2RHTD[layer_idx, side]
            room_RHTD.view(-1, room_RHTD.shape[-1]).index_copy_(0, self._places, new_BHND.flatten(end_dim=2))
            both.append(room_RHTD[: self._rows, :, : self._longest])
        return both[0], both[1]

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Not asked by a model that is given positions and mask."""
        return self._longest


def advance(model: PreTrainedModel, rows: KVRows, ids_BN: Tensor, lengths: list[int]) -> Tensor:
    """Compute N new tokens for each of the first B rows; returns the last hidden states, shape (B, N, E).

    Args:
        model: without its LM head.
        rows: their key-values, to which the new ones are added. It has room for N tokens beyond the longest row.
        ids_BN: the new tokens; a row with fewer is padded on the right, and its padding leaves no trace that counts.
        lengths: tokens of each row before.
    """
    new = ids_BN.shape[1]
    longest = rows.room[1] if _plain(ids_BN.device, new) else max(lengths) + new
    positions_BN = torch.tensor(lengths, device=ids_BN.device)[:, None] + torch.arange(new, device=ids_BN.device)
    mask_B1NK = torch.arange(longest, device=ids_BN.device) <= positions_BN[:, None, :, None]
    rows.aim(positions_BN, longest)
    output = model(
        input_ids=ids_BN,
        attention_mask=mask_B1NK,
        position_ids=positions_BN,
        past_key_values=rows,
        use_cache=True,
    )
    return cast(Tensor, output.last_hidden_state)


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
    layers, heads, size = _shape(model)
    return 2 * layers * heads * size * model.dtype.itemsize


def _shape(model: PreTrainedModel) -> tuple[int, int, int]:
    """Layers, key-value heads and head size."""
    config = model.config
    query_heads = getattr(config, "num_attention_heads", None)
    if query_heads is None:
        raise _unsuited(model, "no attention")
    heads = getattr(config, "num_key_value_heads", None) or query_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // query_heads
    return config.num_hidden_layers, heads, size


def prepared(model: PreTrainedModel) -> PreTrainedModel:
    """The model, in evaluation mode, ready for ``advance``.

    Raises:
        InputError: its layers do more than attend to all tokens before, or a row that grows in pieces does not give
            what it gives in one piece, so that this engine would not be faithful to it.
    """
    model.eval()
    config = model.config
    window = getattr(config, "sliding_window", None) if getattr(config, "use_sliding_window", True) else None
    kinds = set(getattr(config, "layer_types", None) or ["sliding_attention" if window else "full_attention"])
    # A window as wide as the context hides nothing.
    wide = window is not None and window >= getattr(config, "max_position_embeddings", math.inf)
    if not kinds <= ({"full_attention", "sliding_attention"} if wide else {"full_attention"}):
        raise _unsuited(model, f"layers of kind {', '.join(sorted(kinds))}")
    ids_BN = torch.tensor([[1, 2, 3, 1], [3, 1, 2, 2]], device=model.device) % config.vocab_size
    with torch.inference_mode():
        whole_BNE = model(input_ids=ids_BN, use_cache=False).last_hidden_state
        model.set_attn_implementation(_GROUPED)
        try:
            rows = KVRows(model, 2, 4)
            pieces = [advance(model, rows, ids_BN[:, :3], [0, 0]), advance(model, rows, ids_BN[:, 3:], [3, 3])]
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise _unsuited(model, (str(error).splitlines() or [type(error).__name__])[0]) from None
    difference = float((torch.cat(pieces, dim=1) - whole_BNE).norm() / whole_BNE.norm())
    if not difference < (1e-3 if model.dtype == torch.float32 else 0.05):
        raise _unsuited(model, f"a relative difference of {difference:.1g} between a text in pieces and as a whole")
    return by_onednn(model)


def _unsuited(model: PreTrainedModel, got: str) -> InputError:
    return InputError(
        "the transformers engine cannot keep past key-values of this architecture",
        where=type(model).__name__,
        got=got,
        expected="a decoder whose layers all attend to every token before",
        cure="Use another engine.",
    )


_GROUPED = "prmkit_grouped_sdpa"


def _grouped_attention(
    module: torch.nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """Attention in which the query heads of one key-value head stand in one matrix.

    transformers copies each key-value head G times in every layer and step instead, which for a long past is most of
    the work of a decoding step.
    """
    if attention_mask is None or attention_mask.shape[1] != 1:
        return sdpa_attention_forward(module, query, key, value, attention_mask, scaling=scaling, **kwargs)
    rows, heads, new, size = query.shape
    groups = heads // key.shape[1]
    query_BHQD = query.reshape(rows, key.shape[1], groups * new, size)
    mask_B1NK = attention_mask.expand(rows, 1, new, -1)
    if _plain(query.device, new):
        scores_BHQK = (query_BHQD * (size**-0.5 if scaling is None else scaling)) @ key.transpose(2, 3)
        scores_BHQK.masked_fill_(~mask_B1NK, -torch.inf)
        out = scores_BHQK.softmax(dim=-1, dtype=torch.float32).to(value.dtype) @ value
    else:
        mask_B1QK = mask_B1NK.repeat(1, 1, groups, 1) if groups > 1 else mask_B1NK
        out = scaled_dot_product_attention(query_BHQD, key, value, attn_mask=mask_B1QK, scale=scaling)
    return out.reshape(rows, heads, new, size).transpose(1, 2).contiguous(), None


def _plain(device: torch.device, new: int) -> bool:
    """Whether attention is plain products over the whole room.

    On a CPU, torch's kernel is made for many queries, and takes up to twice as long for one. And what is read without
    gaps comes up to three times as fast from memory.
    """
    return new == 1 and device.type == "cpu"


AttentionInterface.register(_GROUPED, _grouped_attention)
AttentionMaskInterface.register(_GROUPED, sdpa_mask)
