"""Trees as rows to train on, many trees at a time.

Shapes: T tokens.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import Weighting
from prmkit.packing.ids import BYTES
from prmkit.packing.paths import LabelledPaths, groups, labelled_paths
from prmkit.packing.table import COLUMNS, RowTable, refuse_too_many_sources
from prmkit.tree import ROOT, StepTree


@dataclass(frozen=True, slots=True, kw_only=True)
class RowShape:
    """How trees become rows.

    Attributes:
        max_length: longest path in tokens.
        weighting: what a label weighs. By ``once``, it stands in the first row that holds its step.
        budget: None gives a row a path. Otherwise neighbouring paths share a row of up to ``budget`` tokens, in which
            their common steps stand once; a path longer than that has a row of its own.
    """

    max_length: int
    weighting: Weighting = "once"
    budget: int | None = None


@dataclass(slots=True, kw_only=True)
class RowCounts:
    """What became of the trees: rows and their labels, and what the length limit took.

    ``cut`` paths lost steps at their end, ``dropped`` paths became no row since no label was left for them,
    ``labels_lost`` labels stand beyond the limit, and ``too_long`` trees have a problem that leaves no room for a step.
    """

    rows: int = 0
    labels: int = 0
    cut: int = 0
    dropped: int = 0
    labels_lost: int = 0
    too_long: int = 0

    def add(self, other: "RowCounts") -> None:
        """Count what others became, too."""
        for each in fields(other):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class EncodedTrees:
    """Rows of trees, in their order and depth first; ``prompts`` are the texts of the problems that ``rows`` name."""

    rows: RowTable
    prompts: Sequence[str]
    counts: RowCounts


def encode_trees(trees: Sequence[StepTree], encoder: StepEncoder, shape: RowShape) -> EncodedTrees:
    """The rows of labelled trees, tokenised together."""
    encoder.learn(text for tree in trees for text in (tree.problem.prompt, *(node.text for node in tree)))
    columns = _Columns()
    for tree in trees:
        _add(tree, encoder, shape, columns)
    return columns.encoded()


@dataclass(slots=True)
class _Columns:
    """The columns of a RowTable while it grows."""

    # The ids of problems and steps as they come, packed, and how many there are.
    ids: list[bytes] = field(default_factory=list)
    tokens: int = 0
    values: dict[str, list[Any]] = field(default_factory=lambda: {name: [] for name in COLUMNS if name != "ids"})
    problems: dict[tuple[str, str], int] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    counts: RowCounts = field(default_factory=RowCounts)

    def encoded(self) -> EncodedTrees:
        refuse_too_many_sources(self.sources)
        self.values["id_starts"].append(self.tokens)
        self.values["step_starts"].append(len(self.values["ends"]))
        columns = {name: np.array(values, dtype=COLUMNS[name]) for name, values in self.values.items()}
        columns["ids"] = np.frombuffer(bytearray().join(self.ids), dtype=COLUMNS["ids"])
        names, prompts = [name for name, _ in self.problems], [prompt for _, prompt in self.problems]
        rows = RowTable(**columns, names=names, label_sources=list(self.sources))
        return EncodedTrees(rows=rows, prompts=prompts, counts=self.counts)


def _add(tree: StepTree, encoder: StepEncoder, shape: RowShape, columns: _Columns) -> None:
    """The rows of a tree to the columns."""
    counts = columns.counts
    problem = encoder.packed_problem(tree.problem)
    prompt = len(problem) // BYTES
    if prompt >= shape.max_length:
        counts.too_long += 1
        return
    steps = [encoder.packed_step(node.text) for node in tree.nodes]
    lengths = [len(ids) // BYTES for ids in steps]
    found = labelled_paths(tree, lengths, shape.max_length - prompt, shape.weighting)
    for group in groups(found.paths, lengths, None if shape.budget is None else shape.budget - prompt):
        nodes, taught = _together(found, group)
        columns.ids.append(problem)
        columns.ids += [steps[node] for node in nodes]
        _add_row(tree, prompt, lengths, nodes, taught, columns)
        counts.rows += 1
        counts.labels += len(taught)
    counts.cut += found.cut
    counts.dropped += found.dropped
    labelled = sum([node.label is not None for node in tree.nodes])
    counts.labels_lost += labelled - len({node for nodes in found.taught for node in nodes})


def _together(found: LabelledPaths, group: range) -> tuple[Sequence[int], dict[int, int]]:
    """The nodes of neighbouring paths, depth first, and how often each label counts."""
    if len(group) == 1:
        return found.paths[group.start], dict.fromkeys(found.taught[group.start], 1)
    nodes = list(dict.fromkeys(node for index in group for node in found.paths[index]))
    return nodes, Counter(node for index in group for node in found.taught[index])


def _add_row(
    tree: StepTree,
    prompt: int,
    lengths: Sequence[int],
    nodes: Sequence[int],
    taught: Mapping[int, int],
    columns: _Columns,
) -> None:
    """A row of some nodes, depth first, but for its ids. ``taught`` tells how often each label counts."""
    values = columns.values
    values["id_starts"].append(columns.tokens)
    values["step_starts"].append(len(values["ends"]))
    values["prompt_tokens"].append(prompt)
    problem = (tree.problem.id, tree.problem.prompt)
    values["problems"].append(columns.problems.setdefault(problem, len(columns.problems)))
    stops, depth_after = {ROOT: prompt}, {ROOT: prompt}
    stop = prompt
    for node in nodes:
        step = tree.nodes[node]
        stop += lengths[node]
        stops[node] = stop
        depth = depth_after[step.parent]
        depth_after[node] = depth + lengths[node]
        values["ends"].append(stop - 1)
        values["depths"].append(depth)
        counted = taught.get(node, 0)
        values["labels"].append(float(step.label.value) if step.label is not None and counted else np.nan)
        values["weights"].append(counted or 1)
        source = step.label.source if step.label is not None else ""
        values["sources"].append(columns.sources.setdefault(source, len(columns.sources)))
    for node in reversed(nodes):  # children before parents: where the last descendant ends
        parent = tree.nodes[node].parent
        stops[parent] = max(stops[parent], stops[node])
    values["untils"] += [stops[node] for node in nodes]
    columns.tokens += stop
