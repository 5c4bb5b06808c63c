"""A made-up row, by whose scores a model is known again."""

import torch

from prmkit.models.context import readable
from prmkit.models.prm import PRM

_TOKENS = 32


def row_scores(prm: PRM) -> list[float]:
    """The scores of two steps of a made-up row. In a sharded training all processes call this."""
    device = next(prm.score.parameters()).device
    config = prm.model.config
    tokens = min(_TOKENS, readable(config))
    ids_BT = (torch.arange(1, tokens + 1, device=device) * 7919 % config.vocab_size)[None]
    ends_BS = torch.tensor([[tokens // 2 - 1, tokens - 1]], device=device)
    learning = [module for module in prm.modules() if module.training]
    prm.eval()
    try:
        with torch.no_grad():
            logits_BS = prm(ids_BT, torch.ones_like(ids_BT), ends_BS)
    finally:
        for module in learning:
            module.training = True
    scores: list[float] = logits_BS.float().sigmoid()[0].tolist()
    return scores
