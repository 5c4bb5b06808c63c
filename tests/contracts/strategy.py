"""What every search strategy must keep. Run it on your own:

from tests.contracts.strategy import check_strategy

def test_mine():
    check_strategy("my_package.module:coroutine", {"n": 8})
"""

import asyncio
import random
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from prmkit.generate import Continuation, Generation, Sampling, TooLong
from prmkit.generate.stop import StepStop
from prmkit.run.seeds import derived_seed
from prmkit.score import Scores
from prmkit.search.options import StrategyConfig
from prmkit.search.problem_set import search
from prmkit.search.result import SearchResult, read_costs
from prmkit.session import Engines
from prmkit.session.budget import BudgetConfig
from prmkit.session.journal import Journal
from prmkit.session.ledger import Ledger
from prmkit.tree import ROOT, Finish, Problem, StepTree
from prmkit.trees_io import read_trees
from tests.fakes import LastStepGrader, char_text


class RandomPolicy:
    """Writes numbered steps, drawn from the request's seed alone; some end a solution, a few are cut or empty.

    It may have a ``context``, and not tell of it: then it refuses a prompt that fills it.
    """

    def __init__(self, pause: float = 0.0, context: int | None = None, *, told: bool = True) -> None:
        self.pause, self.limit = pause, context
        self.requests = self.prefilled = self.decoded = 0
        if told:
            self.context = context

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: StepStop | None = None
    ) -> Generation:
        self.requests += 1
        await asyncio.sleep(self.pause * random.random())
        room = sampling.max_tokens if self.limit is None else min(sampling.max_tokens, self.limit - len(prompt_ids))
        if room < 1:
            raise TooLong(context=self.limit)
        found = [self._one(random.Random(f"{seed} {sample}"), stop, room) for sample in range(n)]
        decoded = sum(len(one.ids) + (one.finish == "eos") for one in found)
        self.prefilled += len(prompt_ids)
        self.decoded += decoded
        return Generation(
            continuations=tuple(found),
            cached_tokens=0,
            prefill_tokens=len(prompt_ids),
            decode_tokens=decoded,
            flops=2.0 * (len(prompt_ids) + decoded),
        )

    def _one(self, rng: random.Random, stop: StepStop | None, limit: int) -> Continuation:
        text, finish = "", "stop"
        while finish == "stop":
            text += rng.choice(["", *(f"{rng.randrange(12)}" for _ in range(9))]) + "\n"
            finish = "eos" if rng.random() < 0.3 else "stop"
            if stop is not None:
                break
        ended: Finish = "eos" if finish == "eos" else "stop"
        if len(text) + (ended == "eos") > limit:
            text, ended = text[:limit], "length"
        return Continuation(ids=tuple(map(ord, text)), finish=ended)


class HashScorer:
    """Scores a step by its path."""

    def __init__(self, pause: float = 0.0) -> None:
        self.pause = pause
        self.requests = self.tokens = 0

    def fits(self, tree: StepTree, node: int) -> bool:
        return True

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        self.requests += 1
        self.tokens += len(nodes)
        await asyncio.sleep(self.pause * random.random())
        values = [derived_seed(0, " ".join(tree.steps(node))) / 2**63 for node in nodes]
        return Scores(values=tuple(values), cached_tokens=0, tokens=len(nodes), flops=1.0 * len(nodes))


def check_strategy(name: str, options: dict[str, bool | int | float | str]) -> None:
    """Run a strategy on ten problems in every way that a run can go. Raises AssertionError."""
    config = StrategyConfig(name=name, options=options)
    with TemporaryDirectory() as folder:
        trees, policy, scorer, result = _searched(config, Path(folder, "first"), BudgetConfig())
        _check_answers(trees)
        _check_ledger(result.ledger, policy, scorer)
        for pause in (0.0005, 0.002):
            again, *_ = _searched(config, Path(folder, f"{pause}"), BudgetConfig(), pause=pause)
            assert again == trees, "the tree depends on how long replies took"
        replayed, policy, scorer, _ = _searched(config, Path(folder, "first"), BudgetConfig())
        assert replayed == trees, "a replay gave another tree"
        assert (policy.requests, scorer.requests) == (0, 0), "a replay asked an engine"
        half = Path(folder, "half")
        half.mkdir()
        lines = Path(folder, "first", "journal.jsonl").read_bytes().splitlines(keepends=True)
        (half / "journal.jsonl").write_bytes(b"".join(random.Random(0).sample(lines, len(lines) // 2)))
        resumed, *_ = _searched(config, half, BudgetConfig())
        assert resumed == trees, "a resumed run gave another tree"
        for kind, limit in (("generations", 3), ("generated_tokens", 25), ("total_tokens", 60), ("seconds", 0.05)):
            _check_budget(config, Path(folder, kind), kind, limit)
        for told in (True, False):
            _check_context(config, Path(folder, f"narrow {told}"), told=told)


def _check_context(config: StrategyConfig, folder: Path, *, told: bool) -> None:
    """Nine of the problems leave room for seven tokens, and one for none."""
    context = 10
    trees, _policy, _, result = _searched(config, folder, BudgetConfig(), context=context, told=told, long="p4")
    _check_answers(trees)
    assert result.too_long == 1, "a problem that fills the policy's context is not counted"
    lengths = {tree.problem.id: _tokens(tree) for tree in trees}
    assert not lengths.pop("p4"), "the problem that fills the policy's context has steps"
    longest = max(max(found, default=0) for found in lengths.values())
    assert 3 < longest <= context, "the other problems did not go on, or beyond the policy's context"
    if told:
        full = [node for tree in trees for node, tokens in zip(tree, _tokens(tree), strict=True) if tokens == context]
        assert all(node.finish in ("length", "eos", None) for node in full), "a path that fills the context goes on"
    again, replayed, *_ = _searched(config, folder, BudgetConfig(), context=context, told=told, long="p4")
    assert again == trees, "a replay gave another tree"
    assert replayed.requests == 0, "a replay asked the policy"


def _tokens(tree: StepTree) -> list[int]:
    """Of the path to each step; a step that was not cut has a line end."""
    before = len(tree.problem.prompt) + 1
    return [before + sum(len(tree.nodes[step].ids or ()) for step in tree.path(node)) for node in range(len(tree))]


def _check_budget(config: StrategyConfig, folder: Path, kind: str, limit: float) -> None:
    budget = BudgetConfig.model_validate({kind: limit})
    trees, *_ = _searched(config, folder, budget, pause=0.004 if kind == "seconds" else 0.0)
    _check_answers(trees)
    if kind != "seconds":  # tests do not measure time
        for record in read_costs(folder / "trees.jsonl"):
            spent = getattr(record, kind)
            assert spent <= limit, f"{kind}: {spent} of {limit} were spent"


def _check_answers(trees: Sequence[StepTree]) -> None:
    for tree in trees:
        chosen = int(tree.meta["chosen"])
        assert chosen == ROOT or tree.finished(chosen), "an unfinished solution was chosen"
        assert tree.meta["exhausted"] in ("true", "false")


def _check_ledger(ledger: Ledger, policy: RandomPolicy, scorer: HashScorer) -> None:
    counted = (ledger.generator_calls, ledger.prefill_tokens, ledger.decode_tokens)
    assert counted == (policy.requests, policy.prefilled, policy.decoded), "the ledger differs from the policy's counts"
    assert (ledger.prm_calls, ledger.prm_tokens) == (scorer.requests, scorer.tokens), "it differs from the PRM's"


def _searched(
    config: StrategyConfig,
    folder: Path,
    budget: BudgetConfig,
    *,
    pause: float = 0.0,
    context: int | None = None,
    told: bool = True,
    long: str = "",
) -> tuple[list[StepTree], RandomPolicy, HashScorer, SearchResult]:
    folder.mkdir(exist_ok=True)
    (folder / "trees.jsonl").unlink(missing_ok=True)
    policy, scorer = RandomPolicy(pause, context, told=told), HashScorer(pause)
    engines = Engines(
        generator=policy,
        text=char_text(),
        sampling=Sampling(max_tokens=30),
        scorer=scorer,
        grader_for=lambda domain, grading: LastStepGrader(),
        seed=1,
        journal=Journal(folder / "journal.jsonl"),
    )
    ids = [f"p{index}" for index in range(10)]
    problems = [Problem(id=id, prompt="How many are they?" if id == long else f"{id[1]}?", answer="7") for id in ids]
    result = search(problems, engines, config, folder / "trees.jsonl", budget=budget)
    return list(read_trees(folder / "trees.jsonl")), policy, scorer, result
