"""What of a tree is read for a score, whatever the scorer: which kind of steps, and of a long path which part."""

from collections.abc import Iterable, Mapping, Sequence

from prmkit.errors import InputError
from prmkit.generate import together
from prmkit.generate.meter import meter_of
from prmkit.score import Scorer, Scores
from prmkit.score.paths import tree_of
from prmkit.score.windows import Windows
from prmkit.tree import ROOT, Reads, StepTree

NOTHING = Scores(values=(), cached_tokens=0, tokens=0, flops=0.0)
"""Of no step."""

_Steps = Sequence[int]
"""Steps of one path of a tree, in order."""


class ReadingScorer:
    """A scorer that is shown the steps that it shall read, as if the others had not been written; and that reads a path
    which is longer than its context by windows (see ``windows.py``).

    Where all steps of the paths are read, and they fit, the tree is handed on as it is. Otherwise the scorer is asked
    about smaller trees: one of the paths that fit, and one for each window, with all paths that begin with its first
    step.

    Args:
        scorer: any; only ``fits`` and ``score`` of it are used, and its meter, if it has one.
        reads: the steps that it reads.
    """

    def __init__(self, scorer: Scorer, reads: Reads = "both") -> None:
        self.scorer = scorer
        self.reads = reads
        self.meter = meter_of(scorer)
        self._windows = Windows(scorer.fits)

    def fits(self, tree: StepTree, node: int) -> bool:
        """Whether what is read up to ``node`` can be read, if need be by windows: no step of it is too long alone."""
        return not tree.read_path(node, self.reads) or bool(self.steps_read(tree, node))

    def steps_read(self, tree: StepTree, node: int) -> _Steps:
        """The steps that the score of ``node`` rests on, in order.

        The last of them is ``node``, or the last step before it that is read; there is none where none is, or where
        the PRM cannot read it.
        """
        path = tree.read_path(node, self.reads)
        if not path or (not self._windows.begun(tree) and self._fits(tree, path)):
            return path
        return self._windows.of(tree, path)

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        """See Scorer.score. For a step that is not read it is the score of the last one before it that is, or 1.

        Raises:
            InputError: a step is longer than the context of the PRM, even alone with its problem.
            RunError: the PRM gave a score that is no probability.
        """
        if not self._windows.begun(tree):
            try:
                return await self._whole(tree, nodes)
            except InputError:
                # Paths rarely outgrow the context; asking beforehand which do would tokenise every one twice.
                paths = (tree.read_path(node, self.reads) for node in nodes)
                if all(self._fits(tree, path) for path in paths if path):
                    raise
        return await self._by_windows(tree, nodes)

    async def _whole(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        if self.reads == "both":
            return await self.scorer.score(tree, nodes)
        paths = {node: tree.read_path(node, self.reads) for node in nodes}
        return await self._ask(tree, nodes, paths, paths)

    async def _by_windows(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        paths = {node: tree.read_path(node, self.reads) for node in nodes}
        while True:
            windows = {node: self._windows.of(tree, path) if path else path for node, path in paths.items()}
            for node, path in paths.items():
                if path and not windows[node]:
                    raise InputError(
                        "a step is longer than the PRM's context, even alone with the problem",
                        where=f"{tree.problem.id}, step {node}",
                    )
            try:
                return await self._ask(tree, nodes, paths, windows)
            except InputError:
                # The server of a judge may tell only when it is asked that a window is too long.
                if all(self._fits(tree, steps) for steps in windows.values() if steps):
                    raise
                self._windows.forget(tree)

    async def _ask(
        self, tree: StepTree, nodes: Sequence[int], paths: Mapping[int, _Steps], windows: Mapping[int, _Steps]
    ) -> Scores:
        """The scores of nodes, given the steps that there are to read up to each, and those of them that are read."""
        groups: dict[int, dict[int, _Steps]] = {}
        for node, steps in windows.items():
            if steps:
                first = ROOT if len(steps) == len(paths[node]) else steps[0]
                groups.setdefault(first, {})[steps[-1]] = steps
        parts = [_part(tree, list(group.values())) for group in groups.values()]
        replies = await together(self.scorer.score(part, list(place_of.values())) for part, place_of in parts)
        score_of = {ROOT: 1.0}
        for (_, place_of), reply in zip(parts, replies, strict=True):
            score_of.update(zip(place_of, reply.values, strict=True))
        cut = sum(len(group) for first, group in groups.items() if first != ROOT)
        return Scores(
            values=tuple(score_of[paths[node][-1] if paths[node] else ROOT] for node in nodes),
            cached_tokens=sum(reply.cached_tokens for reply in replies),
            tokens=sum(reply.tokens for reply in replies),
            flops=sum((reply.flops for reply in replies), 0.0),
            windowed=cut + sum(reply.windowed for reply in replies),
        )

    def _fits(self, tree: StepTree, path: _Steps) -> bool:
        part, place_of = _part(tree, [path])
        return self.scorer.fits(part, place_of[path[-1]])


def _part(tree: StepTree, paths: Sequence[_Steps]) -> tuple[StepTree, dict[int, int]]:
    """A tree in which these are whole paths, which the given one may be, and the index of the last step of each."""
    if all(path == tree.path(path[-1]) for path in paths):
        return tree, {path[-1]: path[-1] for path in paths}
    part, new = tree_of(tree, paths)
    return part, {path[-1]: new[path[-1]] for path in paths}


async def score_readable(scorer: Scorer, tree: StepTree, nodes: Iterable[int]) -> tuple[list[int], Scores]:
    """Those of ``nodes`` that the scorer can read, and their scores.

    Raises:
        InputError: that does not come of a path that it cannot read.
        RunError: the PRM gave a score that is no probability.
    """
    asked = list(nodes)
    try:
        return asked, await scorer.score(tree, asked)
    except InputError:
        # Asked first, since asking beforehand which ones fit would tokenise every path twice.
        readable = [node for node in asked if scorer.fits(tree, node)]
        if len(readable) == len(asked):
            raise
    return readable, await scorer.score(tree, readable) if readable else NOTHING


def reads_of(scorer: Scorer) -> Reads:
    """Which steps a scorer reads; one that was not told reads both kinds."""
    return scorer.reads if isinstance(scorer, ReadingScorer) else "both"


def steps_read(scorer: Scorer, tree: StepTree, node: int) -> _Steps:
    """The steps that a scorer reads for the score of ``node``; see ReadingScorer.steps_read."""
    return scorer.steps_read(tree, node) if isinstance(scorer, ReadingScorer) else tree.path(node)
