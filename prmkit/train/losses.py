"""What a PRM is trained to minimise, step by step.

Shapes: B rows, S steps.
"""

import torch
from torch import Tensor, nn

from prmkit.packing.batch import StepBatch
from prmkit.train.config import TrainConfig


def step_losses(logits_BS: Tensor, batch: StepBatch, config: TrainConfig) -> Tensor:
    """The loss of each step in float32, 0 where nothing is supervised, shape (B, S).

    ``bce`` is the cross-entropy of score and label (the paper, equation 2), ``mse`` the squared difference of the two,
    ``pqm`` the comparative loss (see ``pqm_losses``).
    """
    if config.loss == "pqm":
        return pqm_losses(logits_BS, batch, config.pqm_margin)
    if config.loss == "mse":
        losses_BS = (logits_BS.sigmoid() - batch.labels_BS) ** 2
    else:
        losses_BS = nn.functional.binary_cross_entropy_with_logits(logits_BS, batch.labels_BS, reduction="none")
    return torch.where(batch.weights_BS > 0, losses_BS, 0.0)


def pqm_losses(logits_BS: Tensor, batch: StepBatch, margin: float) -> Tensor:
    """The comparative loss of PQM, for each right step the mean over the paths through it, shape (B, S).

    On one path, with Q the logits, right steps c_1 .. c_n in their order, wrong steps W, and Q = 0 for the problem
    itself (c_0): ``-log(exp Q_t / (sum of exp Q over c_0 .. c_t + sum of exp(Q_w + margin) over W))``. The term of c_0
    is shared out over the wrong steps of the path, which have no term of their own. Labels from 0.5 on are right.

    Source: arXiv 2410.11287, equation 10, and the authors' code (WindyLee0822/Process_Q_Model).
    """
    supervised_BS = batch.weights_BS > 0
    right_BS = supervised_BS & (batch.labels_BS >= 0.5)
    wrong_BS = supervised_BS & ~right_BS
    above_BSS, leaf_BS = step_paths(batch)
    zero_BS1 = logits_BS.new_zeros(*logits_BS.shape, 1)
    # For each step t, right steps up to it and the problem; for each leaf, the wrong steps of its path.
    earlier_BS = torch.cat([_kept(logits_BS, above_BSS & right_BS[:, None]), zero_BS1], -1).logsumexp(-1)
    wrongs_BS = _kept(logits_BS + margin, above_BSS & wrong_BS[:, None]).logsumexp(-1)
    on_path_BLS = above_BSS & leaf_BS[:, :, None]
    right_terms_BLS = torch.logaddexp(earlier_BS[:, None, :], wrongs_BS[:, :, None]) - logits_BS[:, None, :]
    first_terms_BL = torch.logaddexp(torch.zeros_like(wrongs_BS), wrongs_BS)
    wrong_counts_BL = (on_path_BLS & wrong_BS[:, None]).sum(-1).clamp(min=1)
    terms_BLS = torch.where(
        right_BS[:, None], right_terms_BLS, (first_terms_BL / wrong_counts_BL)[:, :, None].expand_as(right_terms_BLS)
    )
    paths_BS = on_path_BLS.sum(1).clamp(min=1)
    return torch.where(on_path_BLS & supervised_BS[:, None], terms_BLS, 0.0).sum(1) / paths_BS


def step_paths(batch: StepBatch) -> tuple[Tensor, Tensor]:
    """How the steps of each row hang together.

    Returns ``above_BSS``, true where step j (last axis) is step i or stands before it on a path, and ``leaf_BS``, true
    at the steps that end a path of the row.
    """
    ends_BS = batch.ends_BS
    steps = torch.arange(ends_BS.shape[1], device=ends_BS.device)
    real_BS = steps < batch.steps_B[:, None]
    if batch.packing is None:
        above_BSS = (steps[None, :] <= steps[:, None]).expand(len(ends_BS), -1, -1)
    else:
        until_BS = batch.packing.until_BT.gather(1, ends_BS)
        above_BSS = (ends_BS[:, None, :] <= ends_BS[:, :, None]) & (ends_BS[:, :, None] < until_BS[:, None, :])
    above_BSS = above_BSS & real_BS[:, None, :] & real_BS[:, :, None]
    leaf_BS = real_BS & (above_BSS.sum(1) == 1)  # nothing but itself has it on its path
    return above_BSS, leaf_BS


def _kept(values_BS: Tensor, kept_BSS: Tensor) -> Tensor:
    """The values where kept, elsewhere so low that their exponential is 0, shape (B, S, S)."""
    return torch.where(kept_BSS, values_BS[:, None], torch.finfo(torch.float32).min)
