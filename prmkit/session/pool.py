"""A budget that the problems of a run share: what easy ones leave goes to those that ask for more.

A problem first uses its own share. Then it waits until every other problem has ended or waits as well, and what was
left is dealt out equally among those that wait. So who gets what depends on the problems and not on the speed of tasks.

Source: the paper, appendix D item 2 (dynamic allocation).
"""

import asyncio
from collections.abc import Sequence

from prmkit.session.budget import Allowance


class Pool:
    """The allowances of a run, in the order of its problems."""

    def __init__(self, allowances: Sequence[Allowance]) -> None:
        self._order = {id(allowance): index for index, allowance in enumerate(allowances)}
        self._active = len(allowances)
        self._ended: list[Allowance] = []
        # By the order of the problems; several requests of one problem may wait at once.
        self._waiting: dict[int, tuple[Allowance, list[asyncio.Future[bool]]]] = {}

    async def more(self, allowance: Allowance) -> bool:
        """Wait for a part of what the others leave; whether there was any."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(self._order[id(allowance)], (allowance, []))[1].append(future)
        self._deal()
        return await future

    def leave(self, allowance: Allowance) -> None:
        """A problem has ended; what it did not use is the others'."""
        self._active -= 1
        self._ended.append(allowance)
        self._deal()

    def _deal(self) -> None:
        if len(self._waiting) < self._active:  # the rule, which must take no time: it is asked for each end
            return
        # A request that was given up waits no longer.
        asking = {place: one for place, one in self._waiting.items() if not all(future.done() for future in one[1])}
        if not asking or len(asking) < self._active:
            return
        waiting = [asking[place] for place in sorted(asking)]
        self._waiting.clear()
        left = {
            kind: int(sum(max(0.0, one.limits[kind] - one.spent(kind)) for one in self._ended))
            for kind in waiting[0][0].limits
        }
        self._ended.clear()
        for index, (allowance, futures) in enumerate(waiting):
            gains = {kind: (amount + len(waiting) - 1 - index) // len(waiting) for kind, amount in left.items()}
            for kind, gain in gains.items():
                allowance.limits[kind] += gain
            for future in futures:
                if not future.done():
                    future.set_result(any(gains.values()))
