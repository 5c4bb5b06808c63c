"""Trees as rows: one row is a root-to-leaf path, and every label is learned in exactly one row.

A prefix that several leaves share is read again in each of their rows, but its labels count in the first row only:
otherwise a step would weigh as much as it has descendants.

Shapes: B rows, T tokens, S steps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from prmkit.errors import InputError
from prmkit.models.encode import StepEncoder
from prmkit.tree import StepTree


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Row:
    """One sequence. ``labels`` are NaN at steps that are not supervised here; ``weight`` multiplies their losses."""

    ids: np.ndarray
    ends: tuple[int, ...]
    labels: tuple[float, ...]
    weight: float = 1.0
    problem: str = ""

    @property
    def supervised(self) -> int:
        """The number of labels."""
        return sum(not math.isnan(label) for label in self.labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeRows:
    """The rows of a tree, and what the length limit cost.

    ``cut`` rows lost steps at their end, ``dropped`` paths became no row since no label was left for them, and
    ``labels_lost`` labels stand beyond the limit: labels in the tree = labels in the rows + labels_lost.
    """

    rows: tuple[Row, ...]
    cut: int
    dropped: int
    labels_lost: int


def tree_rows(tree: StepTree, encoder: StepEncoder, max_length: int) -> TreeRows:
    """The rows of a tree: each step label stands in the first row that holds the step.

    Paths are cut at a step's end to ``max_length`` tokens, and end with their last supervised step: the backbone is
    causal, so nothing reads what would follow.

    Raises:
        InputError: the problem leaves no room for a step.
    """
    problem_ids = encoder.problem_ids(tree.problem)
    if len(problem_ids) >= max_length:
        raise InputError(
            "the problem leaves no room for a step",
            where=f"problem {tree.problem.id}",
            got=f"{len(problem_ids)} tokens",
            expected=f"fewer than max_length = {max_length}",
            cure="Raise model.max_length, or leave the problem out.",
        )
    step_ids = [encoder.step_ids(node.text) for node in tree]
    taken: set[int] = set()
    rows: list[Row] = []
    cut = dropped = 0
    for leaf in tree.leaves():
        path = tree.path(leaf)
        ends = (np.cumsum([len(step_ids[node]) for node in path]) + len(problem_ids) - 1).tolist()
        kept = sum(end < max_length for end in ends)
        cut += kept < len(path)
        labels = [_label(tree, node, taken) for node in path[:kept]]
        taken.update(path[:kept])
        last = max((index for index, label in enumerate(labels) if not math.isnan(label)), default=-1) + 1
        if last == 0:
            dropped += 1
            continue
        ids = [*problem_ids, *(token for node in path[:last] for token in step_ids[node])]
        rows.append(
            Row(
                ids=np.array(ids, dtype=np.int32),
                ends=tuple(ends[:last]),
                labels=tuple(labels[:last]),
                problem=tree.problem.id,
            )
        )
    labelled = sum(node.label is not None for node in tree)
    lost = labelled - sum(row.supervised for row in rows)
    return TreeRows(rows=tuple(rows), cut=cut, dropped=dropped, labels_lost=lost)


def _label(tree: StepTree, node: int, taken: set[int]) -> float:
    label = tree.nodes[node].label
    return math.nan if label is None or node in taken else float(label.value)


class StepBatch:
    """Rows padded on the right. ``weights_BS`` is 0 at padded and at unsupervised steps, and there labels are 0 too.

    ``total_weight`` is what the sum of losses is divided by: the weight of all labels of the optimiser step that the
    batch is a part of. No dataclass: Lightning reaches into those, and rounds labels to the precision of the weights.
    """

    def __init__(
        self,
        *,
        ids_BT: Tensor,
        mask_BT: Tensor,
        ends_BS: Tensor,
        labels_BS: Tensor,
        weights_BS: Tensor,
        total_weight: float,
        tokens: int,
        problems: tuple[str, ...],
    ) -> None:
        self.ids_BT, self.mask_BT, self.ends_BS = ids_BT, mask_BT, ends_BS
        self.labels_BS, self.weights_BS = labels_BS, weights_BS
        self.total_weight, self.tokens, self.problems = total_weight, tokens, problems

    def to(self, device: torch.device) -> "StepBatch":
        """The batch on a device."""
        return StepBatch(
            ids_BT=self.ids_BT.to(device),
            mask_BT=self.mask_BT.to(device),
            ends_BS=self.ends_BS.to(device),
            labels_BS=self.labels_BS.to(device),
            weights_BS=self.weights_BS.to(device),
            total_weight=self.total_weight,
            tokens=self.tokens,
            problems=self.problems,
        )


def collate(rows: Sequence[Row], total_weight: float | None = None) -> StepBatch:
    """Rows as one padded batch; without ``total_weight``, the batch is its own optimiser step."""
    lengths, steps = [len(row.ids) for row in rows], max(len(row.ends) for row in rows)
    ids_BT = torch.zeros(len(rows), max(lengths), dtype=torch.long)
    mask_BT = torch.zeros_like(ids_BT)
    ends_BS = torch.zeros(len(rows), steps, dtype=torch.long)
    labels_BS = torch.full((len(rows), steps), math.nan, dtype=torch.float32)
    weights_BS = torch.zeros(len(rows), steps, dtype=torch.float32)
    for index, row in enumerate(rows):
        ids_BT[index, : len(row.ids)] = torch.from_numpy(row.ids)
        mask_BT[index, : len(row.ids)] = 1
        ends_BS[index, : len(row.ends)] = torch.tensor(row.ends)
        labels_BS[index, : len(row.ends)] = torch.tensor(row.labels, dtype=torch.float32)
        weights_BS[index, : len(row.ends)] = row.weight
    supervised_BS = ~labels_BS.isnan()
    weights_BS = weights_BS * supervised_BS
    return StepBatch(
        ids_BT=ids_BT,
        mask_BT=mask_BT,
        ends_BS=ends_BS,
        labels_BS=labels_BS.nan_to_num(0.0),
        weights_BS=weights_BS,
        total_weight=float(weights_BS.sum()) if total_weight is None else total_weight,
        tokens=sum(lengths),
        problems=tuple(dict.fromkeys(row.problem for row in rows)),
    )
