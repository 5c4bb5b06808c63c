"""Hidden states of sequences, each token of a shared prefix computed once.

Shapes: L layers, H key-value heads, T tokens, D head size, N new tokens of a row, E hidden size, S positions read.
"""

import logging
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from transformers import PreTrainedModel

from prmkit.errors import RunError
from prmkit.kv.rows import KVRows, advance
from prmkit.kv.tree import KVNode, KVTree
from prmkit.models.flops import ForwardFlops

_LOG = logging.getLogger(__name__)

_COLUMNS = 1024
"""New tokens of a row in one forward pass: bounds the attention mask of a long text."""

_PAST_WEIGHT = 1 / 8
"""What a cached token weighs in a batch, against a new one: it takes memory, but little time."""

_CPU_PADDING = 64
"""Tokens of padding that take as long on a CPU as what each forward pass takes beside its tokens."""


@dataclass(slots=True)
class SequenceReading:
    """What was read of one sequence. ``node`` is held in the tree until it is released; None where there is no tree.

    ``spans`` lists (tokens before, tokens computed) of what this sequence was the first to ask for.
    """

    node: KVNode | None
    hidden_SE: Tensor
    spans: list[tuple[int, int]] = field(default_factory=list)

    @property
    def tokens(self) -> int:
        """How many tokens were computed for it."""
        return sum(tokens for _, tokens in self.spans)

    def flops(self, flops: ForwardFlops) -> float:
        """What computing them cost, without any head."""
        return sum(flops.of(tokens, before=before) for before, tokens in self.spans)


@dataclass(slots=True)
class _Run:
    """Successive nodes to compute as one row, below ``past``, of which the first ``begin`` tokens are read.

    Without nodes it is one token that stands in the cache, whose hidden state nobody had read.
    """

    past: list[KVNode]
    begin: int
    nodes: list[KVNode]
    ids: tuple[int, ...]


class _Path:
    """The nodes of a sequence, and each position whose hidden state is wanted with the node that it lies in."""

    def __init__(self, nodes: list[KVNode], positions: Sequence[int]) -> None:
        self.nodes = nodes
        ends = [node.end for node in nodes]
        self.wants = [(nodes[bisect_right(ends, position)], position) for position in positions]


class KVReader:
    """Reads sequences through a tree of past key-values.

    New tokens of sequences that share a prefix are computed once, the longest sequence first and then what branches off
    it, each round in padded batches of rows of similar length.

    Args:
        model: what ``prepared`` returned.
        tree: where key-values are kept.
        max_tokens: tokens of one forward pass, padding included. Memory that does not suffice halves it.
        told: told how many tokens each forward pass has read.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tree: KVTree,
        *,
        max_tokens: int,
        told: Callable[[int], None] = lambda tokens: None,
    ) -> None:
        self.model, self.tree = model, tree
        self.max_tokens = max_tokens
        self._told = told
        self._padding = _CPU_PADDING if model.device.type == "cpu" else max_tokens
        self._said = False

    @torch.inference_mode()
    def read(self, sequences: Sequence[Sequence[int]], positions: Sequence[Sequence[int]]) -> list[SequenceReading]:
        """The hidden states of each sequence at its ``positions``. The caller releases ``reading.node`` in the tree.

        Raises:
            RunError: the memory does not suffice for one sequence alone.
        """
        # All go into the tree before any lineage is taken: a later one may part a node of an earlier one.
        tips = [self.tree.path(ids) for ids in sequences]
        for tip in tips:
            self.tree.hold(tip)
        try:
            return self._read(tips, positions)
        except BaseException:
            self.tree.forget_missing()
            for tip in tips:
                self.tree.release(tip)
            raise

    def read_each(
        self, sequences: Sequence[Sequence[int]], positions: Sequence[Sequence[int]]
    ) -> list[SequenceReading | RunError]:
        """As ``read``, but a sequence that is too much for the memory gets its error, and the others are read."""
        try:
            return list(self.read(sequences, positions))
        except RunError as error:
            if len(sequences) == 1:
                return [error]
            return [self.read_each([ids], [wants])[0] for ids, wants in zip(sequences, positions, strict=True)]

    def held(self, readings: Iterable[SequenceReading]) -> int:
        """How many tokens there are in what was read, those that several share once."""
        return sum(len(node.ids) for node in {node for each in readings if each.node for node in each.node.lineage()})

    def release(self, reading: SequenceReading) -> None:
        """Let the tree drop what was read, should it need the memory."""
        if reading.node is not None:
            self.tree.release(reading.node)

    def _read(self, tips: list[KVNode], positions: Sequence[Sequence[int]]) -> list[SequenceReading]:
        paths = [_Path(tip.lineage(), wants) for tip, wants in zip(tips, positions, strict=True)]
        readings: list[SequenceReading] = []
        wanted: dict[KVNode, set[int]] = defaultdict(set)
        paid: set[KVNode] = set()
        for tip, path in zip(tips, paths, strict=True):
            new = [node for node in path.nodes if node.kv_L2HTD is None and node not in paid]
            paid.update(new)
            readings.append(SequenceReading(tip, torch.empty(0), [(node.start, len(node.ids)) for node in new]))
            for node, position in path.wants:
                wanted[node].add(position)
        while runs := _next_runs(paths):
            self._compute(runs, wanted)
        self._read_again(readings, paths)
        for reading, path in zip(readings, paths, strict=True):
            if path.wants:
                reading.hidden_SE = torch.stack([node.hidden[position] for node, position in path.wants])
        return readings

    def _read_again(self, readings: list[SequenceReading], paths: list[_Path]) -> None:
        """Compute cached tokens once more where their hidden state is wanted and was not kept."""
        runs: dict[tuple[KVNode, int], _Run] = {}
        for reading, path in zip(readings, paths, strict=True):
            for node, position in path.wants:
                if position not in node.hidden and (node, position) not in runs:
                    runs[node, position] = _Run(node.lineage(), position, [], (node.ids[position - node.start],))
                    reading.spans.append((position, 1))
        self._compute(list(runs.values()), {})

    def _compute(self, runs: list[_Run], wanted: Mapping[KVNode, set[int]]) -> None:
        """Fill the nodes of all runs, and keep the hidden states that are wanted."""
        waiting = sorted(runs, key=lambda run: (len(run.ids), run.begin))
        while waiting:
            batch = self._next_batch(waiting)
            try:
                self._forward(batch, wanted)
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                self._shrink(len(batch), error)
                waiting += reversed(batch)

    def _next_batch(self, waiting: list[_Run]) -> list[_Run]:
        """Take runs from the end of a sorted list: those of similar length, so that little of a batch is padding."""
        batch = [waiting.pop()]
        past, new, padding = batch[0].begin, len(batch[0].ids), 0
        while waiting:
            past = max(past, waiting[-1].begin)
            padding += new - len(waiting[-1].ids)
            if (len(batch) + 1) * (new + _PAST_WEIGHT * past) > self.max_tokens or padding > self._padding:
                break
            batch.append(waiting.pop())
        return batch

    def _shrink(self, rows: int, error: Exception) -> None:
        """Make the next forward pass smaller, or say that it cannot be."""
        if rows == 1 and not self.tree.evict(0):
            raise RunError(
                f"the memory does not suffice for one sequence ({error}). Give the engine more, or a smaller model."
            ) from None
        self.max_tokens = max(1, self.max_tokens // 2)
        if not self._said:
            self._said = True
            _LOG.warning("out of memory: forward passes of at most %d tokens from now on, or fewer", self.max_tokens)

    def _forward(self, batch: list[_Run], wanted: Mapping[KVNode, set[int]]) -> None:
        new = max(len(run.ids) for run in batch)
        rows = KVRows(self.model, len(batch), max(run.begin for run in batch) + new)
        ids_BN = torch.zeros(len(batch), new, dtype=torch.long)
        for row, run in enumerate(batch):
            ids_BN[row, : len(run.ids)] = torch.tensor(run.ids)
            place(rows, row, run.past, run.begin)
        ids_BN = ids_BN.to(self.model.device)
        pieces = [
            advance(self.model, rows, ids_BN[:, at : at + _COLUMNS], [run.begin + at for run in batch])
            for at in range(0, new, _COLUMNS)
        ]
        hidden_BNE = torch.cat(pieces, dim=1)
        for row, run in enumerate(batch):
            if not run.nodes:
                run.past[-1].hidden[run.begin] = hidden_BNE[row, 0].clone()
            for node in run.nodes:
                if node.kv_L2HTD is None:  # else memory ran out behind it, and this is the second attempt
                    self.tree.fill(node, rows.take(row, node.start, node.end))
                for position in wanted[node]:
                    node.hidden[position] = hidden_BNE[row, position - run.begin].clone()
        self._told(sum(len(run.ids) for run in batch))


def place(rows: KVRows, row: int, lineage: Sequence[KVNode], length: int) -> None:
    """Copy the first ``length`` tokens of a path into a row."""
    for node in lineage:
        if node.start < length and node.kv_L2HTD is not None:
            rows.put(row, node.start, node.kv_L2HTD[..., : length - node.start, :])


def out_of_memory(error: BaseException) -> bool:
    """Whether torch, on a GPU or on the CPU, or Python had no memory left."""
    return isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)


def _next_runs(paths: list[_Path]) -> list[_Run]:
    """Rows that need nothing of one another: for each first missing node, the longest path that begins with it."""
    runs: dict[KVNode, _Run] = {}
    for path in sorted(paths, key=lambda path: -path.nodes[-1].end if path.nodes else 0):
        missing = [node for node in path.nodes if node.kv_L2HTD is None]
        if missing and missing[0] not in runs:
            past = path.nodes[: len(path.nodes) - len(missing)]
            ids = tuple(token for node in missing for token in node.ids)
            runs[missing[0]] = _Run(past, missing[0].start, missing, ids)
    return list(runs.values())
