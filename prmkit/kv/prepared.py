"""Models made ready to compute texts piece by piece, on top of the key-values of what came before.

Shapes: B rows, N tokens of a row, E hidden size.
"""

import torch
from torch import Tensor
from transformers import PretrainedConfig, PreTrainedModel

from prmkit.errors import InputError
from prmkit.kv.attention import GROUPED
from prmkit.kv.products import by_onednn
from prmkit.kv.rows import KVRows, advance
from prmkit.models.gate import FAILURES, TOLERANCE, Answer, Finding, find, first_that_agrees, relative, said

_LENGTHS = (40, 23, 31)
"""Of the texts that are tried, in tokens."""

_FAULT = "a relative difference of {} between a text in pieces and as a whole"


def past_attention(config: PretrainedConfig) -> Finding:
    """Which attention goes on with the key-values of what came before; none is chosen where none is faithful."""
    return find("past key-values", config, _grows)


def prepared(model: PreTrainedModel) -> PreTrainedModel:
    """The model, in evaluation mode, ready for ``advance``.

    Raises:
        InputError: a text that grows in pieces, beside others, is not what it is as a whole, so that this engine would
            not be faithful to the model.
    """
    model.eval()
    finding = past_attention(model.config)
    if finding.chosen is None:
        raise _unsuited(model, finding.fault)
    ids_BN = torch.tensor([[1, 2, 3, 1], [3, 1, 2, 2]], device=model.device) % model.config.vocab_size
    with torch.inference_mode():
        try:
            model.set_attn_implementation("eager")
            whole_BNE = model(input_ids=ids_BN, use_cache=False).last_hidden_state
            model.set_attn_implementation(finding.chosen)
            difference = relative(_in_pieces(model, ids_BN, [3, 4]), whole_BNE)
        except FAILURES as error:
            raise _unsuited(model, said(error)) from None
    if not difference < (TOLERANCE if model.dtype == torch.float32 else 0.05):
        raise _unsuited(model, _FAULT.format(f"{difference:.1g}"))
    return by_onednn(model)


def _grows(model: PreTrainedModel) -> Answer:
    """Which attention gives texts in pieces, beside others of other lengths, what they are as a whole and alone."""
    texts = [torch.randint(3, model.config.vocab_size, (1, length)) for length in _LENGTHS]

    def apart(way: str) -> float:
        model.set_attn_implementation(way)
        longest, begun = max(_LENGTHS), [length // 2 for length in _LENGTHS]
        rows = KVRows(model, len(texts), longest)
        first_BN = torch.zeros(len(texts), max(begun), dtype=torch.long)
        for row, (text_1N, length) in enumerate(zip(texts, begun, strict=True)):
            first_BN[row, :length] = text_1N[0, :length]
        first_BNE = advance(model, rows, first_BN, [0] * len(texts))
        parts = [[first_BNE[row, :length]] for row, length in enumerate(begun)]
        for step in range(4):
            ids_B1 = torch.cat(
                [text_1N[:, at + step : at + step + 1] for text_1N, at in zip(texts, begun, strict=True)]
            )
            next_B1E = advance(model, rows, ids_B1, [at + step for at in begun])
            for row, part in enumerate(parts):
                part.append(next_B1E[row])
        at = begun[0] + 4
        parts[0].append(advance(model, rows, texts[0][:, at:], [at])[0])
        return max(
            relative(torch.cat(part), whole_NE[: sum(map(len, part))])
            for part, whole_NE in zip(parts, wholes, strict=True)
        )

    with torch.inference_mode():
        model.set_attn_implementation("eager")
        wholes = [model(input_ids=text_1N, use_cache=False).last_hidden_state[0] for text_1N in texts]
        return first_that_agrees((GROUPED, "eager"), apart, _FAULT)


def _in_pieces(model: PreTrainedModel, ids_BN: Tensor, ends: list[int]) -> Tensor:
    rows = KVRows(model, len(ids_BN), ids_BN.shape[1])
    starts = [0, *ends[:-1]]
    pieces = [
        advance(model, rows, ids_BN[:, start:end], [start] * len(ids_BN))
        for start, end in zip(starts, ends, strict=True)
    ]
    return torch.cat(pieces, dim=1)


def _unsuited(model: PreTrainedModel, got: str | None) -> InputError:
    return InputError(
        "the transformers engine cannot keep past key-values of this architecture",
        where=type(model).__name__,
        got=got,
        expected="a text that grows in pieces to be what it is as a whole",
        cure="Use the vllm engine.",
    )
