"""The in-process scorer: a PRM over the paths of a tree, batched across problems."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from prmkit.errors import InputError, RunError
from prmkit.generate.batcher import Batcher
from prmkit.models.adapters import load_any_prm
from prmkit.models.backbone import accelerator
from prmkit.models.checkpoint import LoadedPRM
from prmkit.models.flops import forward_flops
from prmkit.score import PrmConfig, Scores
from prmkit.tree import StepTree


@dataclass(frozen=True, slots=True)
class _Path:
    """One root-to-node path as token ids, and the position of each step's end."""

    ids: tuple[int, ...]
    ends: tuple[int, ...]


class TransformersScorer:
    """Scores with a PRM in this process.

    A path that is a prefix of another requested path is read off the longer one, so no text is computed twice for it.

    Args:
        loaded: a PRM with its tokenisation.
        max_tokens: tokens of one forward pass, padding included.
    """

    def __init__(self, loaded: LoadedPRM, *, max_tokens: int = 16384) -> None:
        self.prm = loaded.prm.eval()
        self.encoder = loaded.encoder
        self.flops = forward_flops(self.prm.model, self.prm.score)
        self.context = int(self.prm.model.config.max_position_embeddings)
        self._max_tokens = max_tokens
        self._batcher = Batcher(self._run, size=lambda path: len(path.ids), capacity=max_tokens)

    def fits(self, tree: StepTree, node: int) -> bool:
        """See Scorer.fits."""
        return len(self.encoder.path_ids(tree.problem, tree.steps(node))[0]) <= self.context

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        """See Scorer.score."""
        inner = {ancestor for node in nodes for ancestor in tree.path(node)[:-1]}
        tips = [node for node in dict.fromkeys(nodes) if node not in inner]
        paths = {tip: self._encode(tree, tip) for tip in tips}
        replies = await asyncio.gather(*(self._batcher.submit(path) for path in paths.values()))
        found: dict[int, float] = {}
        for tip, values in zip(paths, replies, strict=True):
            found.update(zip(tree.path(tip), values, strict=True))
        return Scores(
            values=tuple(found[node] for node in nodes),
            cached_tokens=0,
            tokens=sum(len(path.ids) for path in paths.values()),
            flops=sum(self.flops.of(len(path.ids), read=len(path.ends)) for path in paths.values()),
        )

    def _encode(self, tree: StepTree, node: int) -> _Path:
        ids, ends = self.encoder.path_ids(tree.problem, tree.steps(node))
        if len(ids) > self.context:
            raise InputError(
                "the solution is longer than the PRM's context",
                where=f"{tree.problem.id}, step {node}",
                got=f"{len(ids)} tokens",
                expected=f"at most {self.context}",
            )
        return _Path(tuple(ids), tuple(ends))

    @torch.inference_mode()
    def _run(self, paths: list[_Path]) -> list[list[float]]:
        scores: list[list[float]] = [[] for _ in paths]
        for batch in self._padded_batches(paths):
            longest = max(len(paths[index].ids) for index in batch)
            steps = max(len(paths[index].ends) for index in batch)
            device = next(self.prm.parameters()).device
            ids_BT = torch.zeros(len(batch), longest, dtype=torch.long)
            mask_BT = torch.zeros_like(ids_BT)
            ends_BS = torch.zeros(len(batch), steps, dtype=torch.long)
            for row, index in enumerate(batch):
                path = paths[index]
                ids_BT[row, : len(path.ids)] = torch.tensor(path.ids)
                mask_BT[row, : len(path.ids)] = 1
                ends_BS[row, : len(path.ends)] = torch.tensor(path.ends)
            logits_BS = self.prm(ids_BT.to(device), mask_BT.to(device), ends_BS.to(device))
            for row, index in enumerate(batch):
                scores[index] = torch.sigmoid(logits_BS[row, : len(paths[index].ends)].float()).tolist()
                if any(math.isnan(value) for value in scores[index]):
                    raise RunError("the PRM scored a step NaN; check its dtype and weights")
        return scores

    def _padded_batches(self, paths: list[_Path]) -> list[list[int]]:
        """Indices of paths of similar length, so that little of a batch is padding."""
        batches: list[list[int]] = []
        for index in sorted(range(len(paths)), key=lambda index: -len(paths[index].ids)):
            if batches and (len(batches[-1]) + 1) * len(paths[batches[-1][0]].ids) <= self._max_tokens:
                batches[-1].append(index)
            else:
                batches.append([index])
        return batches


def load_scorer(config: PrmConfig) -> tuple[TransformersScorer, str]:
    """The PRM of a recipe on this machine's GPU, or CPU, and where its labels came from.

    Raises:
        InputError: there is no such PRM, or its weights are not those of its kind.
    """
    assert config.checkpoint is not None
    loaded = load_any_prm(config.checkpoint, config.adapter, device=accelerator())
    return TransformersScorer(loaded, max_tokens=config.max_tokens), loaded.meta.label_source
