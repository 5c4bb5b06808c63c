"""What is read of a path that is longer than a PRM's context: the problem and the last steps, in windows.

A walk along the path, from its first step, fixes the window of each step. As long as the next step fits into the
context behind the problem and the window, it joins the window, whose first step stays where it is. Where it does not
fit, the window slides: the last half of its steps are kept (2 of 5), or half of those, and so on until the step fits,
if need be alone. So the steps of one window share its beginning, which a PRM with a cache reads once, and each step is
read about twice in all; and what is read for a step depends on the problem and the path to it alone, whatever else is
asked.

A step that does not fit alone with the problem has no window, nor has any step that follows it.
"""

import weakref
from collections.abc import Callable, Sequence

from prmkit.score.paths import tree_of
from prmkit.tree import StepTree


class Windows:
    """The windows of the steps of some trees, each found once and forgotten with its tree.

    Args:
        fits: whether the path to a step of a tree fits the context.
    """

    def __init__(self, fits: Callable[[StepTree, int], bool]) -> None:
        self._fits = fits
        # By id of the tree: a reference that ends with it, and the first step of each step's window, if it has one.
        self._known: dict[int, tuple[weakref.ref[StepTree], dict[int, int | None]]] = {}

    def begun(self, tree: StepTree) -> bool:
        """Whether windows of this tree were asked for before."""
        return id(tree) in self._known

    def forget(self, tree: StepTree) -> None:
        """Find the windows of a tree anew when they are asked for next: what fits has turned out to be less."""
        self._known.pop(id(tree), None)

    def of(self, tree: StepTree, path: Sequence[int]) -> Sequence[int]:
        """The steps that are read for the last step of ``path``, itself included; empty where it has no window.

        Args:
            tree: with the steps.
            path: the steps before the last one that there are to read, and itself; always the same ones for that step.
        """
        first_of = self._of(tree)
        known = len(path)
        while known and path[known - 1] not in first_of:
            known -= 1
        first = first_of[path[known - 1]] if known else path[0]
        start = None if first is None else path.index(first)
        for place in range(known, len(path)):
            if start is not None:
                start = self._start(tree, path[: place + 1], start)
            first_of[path[place]] = None if start is None else path[start]
        return [] if start is None else path[start:]

    def _start(self, tree: StepTree, path: Sequence[int], start: int) -> int | None:
        """Where the window of the last step of the path starts, given where that of the step before it does."""
        before = len(path) - 1 - start
        while not self._fits_alone(tree, path[len(path) - 1 - before :]):
            if not before:
                return None
            before //= 2
        return len(path) - 1 - before

    def _fits_alone(self, tree: StepTree, steps: Sequence[int]) -> bool:
        part, new = tree_of(tree, [steps])
        return self._fits(part, new[steps[-1]])

    def _of(self, tree: StepTree) -> dict[int, int | None]:
        key = id(tree)
        if key not in self._known:
            self._known[key] = weakref.ref(tree, lambda _: self._known.pop(key, None)), {}
        return self._known[key][1]
