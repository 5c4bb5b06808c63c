"""Hidden states of sequences that are each read as a whole, for models whose past is more than keys and values.

Shapes: B rows, T tokens, E hidden size.
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import PreTrainedModel

from prmkit.errors import InputError, RunError
from prmkit.kv.reader import SequenceReading, out_of_memory
from prmkit.models.attention import faithful_attention


class WholeReader:
    """Reads sequences in padded batches, and keeps nothing of them.

    Args:
        model: a backbone.
        max_tokens: tokens of one forward pass, padding included. Memory that does not suffice halves it.
        told: told how many tokens each forward pass has read.

    Raises:
        InputError: a sequence is not alone what it is beside others.
    """

    def __init__(
        self, model: PreTrainedModel, *, max_tokens: int, told: Callable[[int], None] = lambda tokens: None
    ) -> None:
        attention = faithful_attention(model.config)
        if attention is None:
            raise InputError(
                "the transformers engine cannot read texts of this architecture beside others",
                where=type(model).__name__,
                cure="Use the vllm engine.",
            )
        model.eval()
        model.set_attn_implementation(attention)
        self.model, self.max_tokens = model, max_tokens
        self._told = told

    def read_each(
        self, sequences: Sequence[Sequence[int]], positions: Sequence[Sequence[int]]
    ) -> list[SequenceReading | RunError]:
        """The hidden states of each sequence at its ``positions``, or why there are none."""
        found: dict[int, SequenceReading | RunError] = {}
        waiting = sorted(range(len(sequences)), key=lambda index: len(sequences[index]))
        while waiting:
            longest = len(sequences[waiting[-1]])
            batch = [waiting.pop() for _ in range(min(len(waiting), max(1, self.max_tokens // max(longest, 1))))]
            try:
                read = self._read([sequences[index] for index in batch])
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self.max_tokens = max(1, self.max_tokens // 2)
                if len(batch) > 1:
                    waiting += reversed(batch)
                else:
                    found[batch[0]] = RunError(f"the memory does not suffice for one sequence ({error}).")
                continue
            for index, hidden_TE in zip(batch, read, strict=True):
                hidden_SE = hidden_TE[list(positions[index])].clone()
                found[index] = SequenceReading(None, hidden_SE, [(0, len(sequences[index]))])
        return [found[index] for index in range(len(sequences))]

    def held(self, readings: Sequence[SequenceReading]) -> int:
        """How many tokens there are in what was read."""
        return sum(reading.tokens for reading in readings)

    def release(self, reading: SequenceReading) -> None:
        """Nothing was kept."""

    @torch.inference_mode()
    def _read(self, sequences: Sequence[Sequence[int]]) -> list[Tensor]:
        texts = [torch.tensor(list(ids)) for ids in sequences]
        ids_BT = pad_sequence(texts, batch_first=True).to(self.model.device)
        mask_BT = pad_sequence([torch.ones_like(text) for text in texts], batch_first=True).to(self.model.device)
        hidden_BTE = self.model(input_ids=ids_BT, attention_mask=mask_BT, use_cache=False).last_hidden_state
        self._told(sum(map(len, texts)))
        return [hidden_TE[: len(text)] for hidden_TE, text in zip(hidden_BTE, texts, strict=True)]
