"""Step scores from the rows of logits that a pooling engine returns."""

import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import torch
from torch import nn
from transformers import PretrainedConfig

from prmkit.errors import RunError
from prmkit.generate import together
from prmkit.models.flops import ForwardFlops, forward_flops
from prmkit.packing.encode import StepEncoder
from prmkit.score import Scores
from prmkit.score.paths import asked_by_tip, check_length
from prmkit.tree import StepTree


@dataclass(frozen=True, slots=True)
class Rows:
    """The raw logits of the last tokens of a sequence, one row a token, with one label or two (wrong, right).

    ``cached`` tokens of the sequence were not computed, and have no row.
    """

    logits: Sequence[Sequence[float]]
    cached: int


class RowScorer:
    """Scores with an engine that reads token ids and returns rows.

    A request ends at a step's last token, so its last row is that step's score. The steps before it are read off the
    same rows as far as they go; a step whose row is missing, for its tokens were cached, is asked for on its own, and
    costs what lies between the end of the cached blocks and the step.

    Args:
        read: the engine.
        encoder: the PRM's tokenisation.
        context: its longest sequence in tokens.
        flops: what its forward pass costs.
    """

    def __init__(
        self,
        read: Callable[[Sequence[int]], Awaitable[Rows]],
        encoder: StepEncoder,
        *,
        context: int,
        flops: ForwardFlops,
    ) -> None:
        self._read = read
        self._encoder = encoder
        self._context = context
        self._flops = flops

    def fits(self, tree: StepTree, node: int) -> bool:
        """See Scorer.fits."""
        return len(self._encoder.path_ids(tree.problem, tree.steps(node))[0]) <= self._context

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        """See Scorer.score."""
        replies = await together(self._path(tree, tip, asked) for tip, asked in asked_by_tip(tree, nodes).items())
        found = {node: score for reply in replies for node, score in reply[0].items()}
        read = [count for reply in replies for count in reply[1]]
        return Scores(
            values=tuple(found[node] for node in nodes),
            cached_tokens=sum(cached for _, cached in read),
            tokens=sum(length - cached for length, cached in read),
            flops=sum(self._flops.of(length - cached, before=cached, read=length - cached) for length, cached in read),
        )

    async def _path(
        self, tree: StepTree, tip: int, asked: Sequence[int]
    ) -> tuple[dict[int, float], list[tuple[int, int]]]:
        """The scores of steps on one path, and (length, cached tokens) of each request that it took."""
        ids, ends = self._encoder.path_ids(tree.problem, tree.steps(tip))
        check_length(tree, tip, len(ids), self._context)
        end_of = dict(zip(tree.path(tip), ends, strict=True))
        missing, found, read = list(asked), {}, []
        while missing:
            length = end_of[missing[-1]] + 1
            rows = await self._read(ids[:length])
            first = length - len(rows.logits)
            if not 0 <= first < length:
                raise RunError(
                    f"the PRM answered {len(rows.logits)} rows for {length} tokens, which is not one a token"
                )
            for node in missing:
                if end_of[node] >= first:
                    found[node] = _probability(rows.logits[end_of[node] - first])
            missing = [node for node in missing if node not in found]
            read.append((length, rows.cached))
        return found, read


def head_flops(config: PretrainedConfig) -> ForwardFlops:
    """The cost of a PRM made from this config: its backbone, and the two layers of its head at every row."""
    width = config.hidden_size
    with torch.device("meta"):
        head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))
    return forward_flops(config, head)


def _probability(logits: Sequence[float]) -> float:
    if len(logits) not in (1, 2):
        raise RunError(f"the PRM answered rows of {len(logits)} labels, where one or two make a step score")
    # softmax([a, b])[1] = sigmoid(b - a)
    logit = logits[-1] - (logits[0] if len(logits) == 2 else 0.0)
    if math.isnan(logit):
        raise RunError("the PRM scored a step NaN; check its dtype and weights")
    return 1.0 / (1.0 + math.exp(-logit)) if logit >= 0 else math.exp(logit) / (1.0 + math.exp(logit))
