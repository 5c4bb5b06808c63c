"""Held-out metrics of step scores, added up batch by batch and exact over all ranks.

Shapes: B rows, S steps.
"""

import math

import torch
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.classification import BinaryAUROC

from prmkit.packing.batch import StepBatch
from prmkit.train.losses import step_paths

_BINS = 15
"""Bins of equal width for the calibration error, as is usual (Guo et al. 2017, arXiv 1706.04599)."""

_NONE = torch.iinfo(torch.long).max


class RunningMean(Metric):
    """The weighted mean of the losses that were added since the last reset, over all ranks."""

    full_state_update = False
    sums: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("sums", torch.zeros(2, dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, losses_BS: Tensor, weights_BS: Tensor) -> None:
        """Add a batch."""
        self.sums += torch.stack([(losses_BS * weights_BS).sum(), weights_BS.sum()])

    def compute(self) -> Tensor:
        """The mean, in float32; NaN where nothing was added."""
        return (self.sums[0] / self.sums[1]).float()


class StepMetrics(Metric):
    """``loss``, ``brier`` and ``ece`` weighted as the labels are; ``auroc`` and ``f1`` with a label right from 0.5 on.

    ``brier`` is the mean squared difference of score and label; ``ece`` the mean distance of mean score and mean label
    in bins of the score. ``f1`` is that of ProcessBench: a path with an error is judged rightly where the first step
    scored below 0.5 is the first one labelled so, one without where there is none; F1 is the harmonic mean of the two
    shares. A path is read as far as its row has labels: one of a tree too large for one sequence may lack its first.
    ``auroc`` and ``f1`` are NaN where the labels are of one kind.
    """

    full_state_update = False
    sums: Tensor
    bins: Tensor
    paths: Tensor

    def __init__(self) -> None:
        super().__init__()
        for name, size in (("sums", 5), ("bins", 3 * _BINS), ("paths", 4)):
            self.add_state(name, torch.zeros(size, dtype=torch.float64), dist_reduce_fx="sum")
        self.auroc = BinaryAUROC(validate_args=False)

    def update(self, losses_BS: Tensor, logits_BS: Tensor, batch: StepBatch) -> None:
        """Add a batch."""
        weights_BS, supervised_BS = batch.weights_BS.to(self.sums.dtype), batch.weights_BS > 0
        scores_BS = logits_BS.sigmoid()
        right_BS = batch.labels_BS >= 0.5
        brier_BS = (scores_BS - batch.labels_BS) ** 2
        weighted = [(values_BS * weights_BS).sum() for values_BS in (losses_BS, brier_BS, torch.ones_like(brier_BS))]
        counted = [(right_BS & supervised_BS).sum(), supervised_BS.sum()]
        self.sums += torch.stack([*weighted, *(count.to(self.sums.dtype) for count in counted)])
        where_BS = (scores_BS * _BINS).long().clamp(max=_BINS - 1)
        for part, values in enumerate((scores_BS, batch.labels_BS, torch.ones_like(scores_BS))):
            self.bins.index_add_(0, (where_BS + part * _BINS).flatten(), (values * weights_BS).flatten())
        self.paths += _judged(scores_BS >= 0.5, right_BS, supervised_BS, batch)
        # Even without any label: a rank whose AUROC was never updated leaves the others waiting for it.
        self.auroc.update(scores_BS[supervised_BS], right_BS[supervised_BS].long())

    def compute(self) -> dict[str, Tensor]:
        """The metrics of all ranks, in float32."""
        loss, brier, weight, right_labels, labels = self.sums
        score, label, _ = self.bins.view(3, _BINS)
        found_wrong, wrong, found_right, right = self.paths
        both = found_wrong / wrong, found_right / right
        f1 = 2 * both[0] * both[1] / (both[0] + both[1]) if sum(both) > 0 else sum(both)
        values = {"loss": loss / weight, "brier": brier / weight, "ece": (score - label).abs().sum() / weight, "f1": f1}
        values["auroc"] = self.auroc.compute() if 0 < right_labels < labels else torch.tensor(math.nan)
        return {name: torch.as_tensor(value).float() for name, value in values.items()}

    def reset(self) -> None:
        """Forget everything."""
        super().reset()
        self.auroc.reset()


def _judged(scored_BS: Tensor, right_BS: Tensor, supervised_BS: Tensor, batch: StepBatch) -> Tensor:
    """Of the paths with an error: how many were judged rightly, how many there are; the same of those without one."""
    above_BLS, leaf_BL = step_paths(batch)
    read_BLS = above_BLS & supervised_BS[:, None]
    place_S = torch.arange(right_BS.shape[1], device=right_BS.device)

    def first(wrong_BS: Tensor) -> Tensor:
        return torch.where(read_BLS & wrong_BS[:, None], place_S, _NONE).amin(-1)

    truth_BL = first(~right_BS)
    hit_BL = first(~scored_BS) == truth_BL
    counted_BL = leaf_BL & read_BLS.any(-1)
    wrong_BL, fine_BL = counted_BL & (truth_BL != _NONE), counted_BL & (truth_BL == _NONE)
    return torch.stack([part_BL.sum() for part_BL in (hit_BL & wrong_BL, wrong_BL, hit_BL & fine_BL, fine_BL)])
