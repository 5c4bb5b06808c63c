"""Rows as padded tensors.

Shapes: B rows, T tokens, S steps.
"""

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor

from prmkit.packing.sequence import Packing
from prmkit.packing.table import TokenRow


class StepBatch:
    """Rows padded on the right. ``weights_BS`` is 0 at padded and at unsupervised steps, and there labels are 0 too.

    ``packing`` is None where every token attends to all before it. ``total_weight`` divides the sum of losses: it is
    the weight of all labels of the optimiser step that the batch is a part of. ``tokens``, and the ``pairs`` of a token
    and one that it attends to, are counted without padding; ``steps_B`` counts the steps of each row. No dataclass:
    Lightning reaches into those, and rounds labels to the precision of the weights.
    """

    def __init__(
        self,
        *,
        ids_BT: Tensor,
        mask_BT: Tensor,
        ends_BS: Tensor,
        labels_BS: Tensor,
        weights_BS: Tensor,
        steps_B: Tensor,
        packing: Packing | None,
        total_weight: float,
        tokens: int,
        pairs: int,
        problems: tuple[str, ...],
    ) -> None:
        self.ids_BT, self.mask_BT, self.ends_BS, self.packing = ids_BT, mask_BT, ends_BS, packing
        self.labels_BS, self.weights_BS, self.steps_B = labels_BS, weights_BS, steps_B
        self.total_weight, self.tokens, self.pairs, self.problems = total_weight, tokens, pairs, problems

    def to(self, device: torch.device) -> "StepBatch":
        """The batch on a device."""
        # From pinned memory, a GPU takes what comes next while it computes.
        return self._with(lambda tensor: tensor.to(device, non_blocking=device.type == "cuda"))

    def pin_memory(self) -> "StepBatch":
        """The batch in memory that a GPU copies from by itself; a DataLoader calls it."""
        return self._with(Tensor.pin_memory)

    def _with(self, change: Callable[[Tensor], Tensor]) -> "StepBatch":
        return StepBatch(
            ids_BT=change(self.ids_BT),
            mask_BT=change(self.mask_BT),
            ends_BS=change(self.ends_BS),
            labels_BS=change(self.labels_BS),
            weights_BS=change(self.weights_BS),
            steps_B=change(self.steps_B),
            packing=self.packing and Packing(*map(change, self.packing)),
            total_weight=self.total_weight,
            tokens=self.tokens,
            pairs=self.pairs,
            problems=self.problems,
        )


def collate(given: Iterable[TokenRow], total_weight: float | None = None, *, scale: float = 1.0) -> StepBatch:
    """Rows as one padded batch; without ``total_weight``, the batch is its own optimiser step.

    ``scale`` multiplies the weight of every label.
    """
    rows = tuple(given)
    longest, steps = max(len(row.ids) for row in rows), max(len(row.ends) for row in rows)
    ids_BT = torch.zeros(len(rows), longest, dtype=torch.long)
    mask_BT = torch.zeros_like(ids_BT)
    positions_BT = torch.zeros_like(ids_BT)
    # Padding attends to itself, and nothing attends to it: a token without any to attend to would give NaN.
    until_BT = torch.arange(1, longest + 1).repeat(len(rows), 1)
    ends_BS = torch.zeros(len(rows), steps, dtype=torch.long)
    labels_BS = torch.full((len(rows), steps), math.nan, dtype=torch.float32)
    weights_BS = torch.zeros(len(rows), steps, dtype=torch.float32)
    for index, row in enumerate(rows):
        ids_BT[index, : len(row.ids)] = torch.from_numpy(row.ids)
        mask_BT[index, : len(row.ids)] = 1
        positions_BT[index, : len(row.ids)] = torch.from_numpy(row.positions)
        until_BT[index, : len(row.ids)] = torch.from_numpy(row.until)
        ends_BS[index, : len(row.ends)] = torch.from_numpy(row.ends)
        labels_BS[index, : len(row.ends)] = torch.from_numpy(row.labels)
        weights_BS[index, : len(row.ends)] = torch.from_numpy(row.weights).float() * scale
    supervised_BS = ~labels_BS.isnan()
    weights_BS = weights_BS * supervised_BS
    return StepBatch(
        ids_BT=ids_BT,
        mask_BT=mask_BT,
        ends_BS=ends_BS,
        labels_BS=labels_BS.nan_to_num(0.0),
        weights_BS=weights_BS,
        steps_B=torch.tensor([len(row.ends) for row in rows]),
        packing=None if all(row.plain for row in rows) else Packing(positions_BT, until_BT),
        total_weight=float(weights_BS.sum()) if total_weight is None else total_weight,
        tokens=sum(len(row.ids) for row in rows),
        pairs=sum(row.pairs for row in rows),
        problems=tuple(dict.fromkeys(problem for row in rows for problem in row.problems)),
    )
