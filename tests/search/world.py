"""A policy whose every step is written down, and what it was asked."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from prmkit.generate import Continuation, Generation, Sampling
from prmkit.generate.stop import StepStop
from prmkit.score.aggregate import Aggregation
from prmkit.session import Engines, Session
from prmkit.session.budget import BudgetConfig
from prmkit.session.journal import Journal
from prmkit.tree import ROOT, Finish, Problem, StepTree
from tests.fakes import LastStepGrader, TableScorer, char_text

Asked = tuple[str, int, str]


class World:
    """Steps and rollouts by path: ``{"a b": "c d!"}`` means that after a, b the samples are c, d, c, ...

    A word with ``!`` ends its solution, one with ``~`` is cut by length; ``_`` is an empty step, ``.`` the end without
    a step. Where no rollout is given, ``complete`` follows the steps.
    """

    def __init__(self, steps: dict[str, str], rollouts: dict[str, str] | None = None, pause: float = 0.0) -> None:
        self.steps = steps
        self.rollouts = rollouts or {}
        self.asked: list[Asked] = []
        self.decoded = 0
        self.prefilled = 0
        self.pause = pause

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: StepStop | None = None
    ) -> Generation:
        path = " ".join("".join(map(chr, prompt_ids)).split("\n")[1:-1])
        self.asked.append((path, n, "step" if stop else "whole"))
        # A pause that differs from request to request, so that replies come in another order than they were asked in.
        await asyncio.sleep(self.pause * (seed % 7))
        continuations = [self._one(path, index, stop is not None, sampling.max_tokens) for index in range(n)]
        tokens = sum(len(one.ids) + (one.finish == "eos") for one in continuations)
        self.decoded += tokens
        self.prefilled += len(prompt_ids)
        return Generation(
            continuations=tuple(continuations),
            cached_tokens=0,
            prefill_tokens=len(prompt_ids),
            decode_tokens=tokens,
            flops=10.0 * (len(prompt_ids) + tokens),
        )

    def _one(self, path: str, index: int, step: bool, limit: int) -> Continuation:
        words = [self._word(self.steps, path, index)] if step else self._solution(path, index)
        text = "".join(_text(word) for word in words)
        finish = _finish(words[-1])
        if len(text) + (finish == "eos") > limit:
            text, finish = text[:limit], "length"
        return Continuation(ids=tuple(map(ord, text)), finish=finish)

    def _solution(self, path: str, index: int) -> list[str]:
        if path in self.rollouts:
            return self._word(self.rollouts, path, index).split(">")
        words: list[str] = []
        while not words or _finish(words[-1]) == "stop":
            words.append(self._word(self.steps, " ".join([*path.split(), *words]), index if not words else 0))
        return words

    def _word(self, table: dict[str, str], path: str, index: int) -> str:
        words = table[path].split()
        return words[index % len(words)]


def _text(word: str) -> str:
    if word == "_":
        return "\n"
    body = word.rstrip("!~.")
    return body + ("\n" if _finish(word) == "stop" else "")


def _finish(word: str) -> Finish:
    return "eos" if word.endswith(("!", ".")) else "length" if word.endswith("~") else "stop"


def world_session(
    world: World,
    scores: dict[str, float] | None = None,
    *,
    budget: BudgetConfig | None = None,
    aggregation: Aggregation = "last",
    seed: int = 0,
    journal: Journal | None = None,
    max_tokens: int = 1000,
    name: str = "p",
    problems: int = 1,
) -> Session:
    engines = Engines(
        generator=world,
        text=char_text(),
        sampling=Sampling(max_tokens=max_tokens),
        grader_for=lambda domain, grading: LastStepGrader(),
        scorer=None if scores is None else TableScorer(scores),
        aggregation=aggregation,
        seed=seed,
        journal=journal or Journal(),
    )
    return Session(
        StepTree(Problem(id=name, prompt="?", answer="4")), engines, budget or BudgetConfig(), problems=problems
    )


def run(session: Session, strategy: Callable[[Session], Awaitable[int]]) -> str | None:
    """The path of the answer; None without one."""
    leaf = asyncio.run(_awaited(strategy(session)))
    return None if leaf == ROOT else " ".join(session.tree.steps(leaf))


async def _awaited(answer: Awaitable[int]) -> int:
    return await answer
