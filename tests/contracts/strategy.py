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

from prmkit.generate import Continuation, Generation, Sampling
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
    """Writes numbered steps, drawn from the request's seed alone; some end a solution, a few are cut or empty."""

    def __init__(self, pause: float = 0.0) -> None:
        self.pause = pause
        self.requests = self.prefilled = self.decoded = 0

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: StepStop | None = None
    ) -> Generation:
        self.requests += 1
        await asyncio.sleep(self.pause * random.random())
        found = [self._one(random.Random(f"{seed} {sample}"), stop, sampling.max_tokens) for sample in range(n)]
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
    config: StrategyConfig, folder: Path, budget: BudgetConfig, *, pause: float = 0.0
) -> tuple[list[StepTree], RandomPolicy, HashScorer, SearchResult]:
    folder.mkdir(exist_ok=True)
    (folder / "trees.jsonl").unlink(missing_ok=True)
    policy, scorer = RandomPolicy(pause), HashScorer(pause)
    engines = Engines(
        generator=policy,
        text=char_text(),
        sampling=Sampling(max_tokens=30),
        scorer=scorer,
        grader_for=lambda domain, grading: LastStepGrader(),
        seed=1,
        journal=Journal(folder / "journal.jsonl"),
    )
    problems = [Problem(id=f"p{index}", prompt=f"{index}?", answer="7") for index in range(10)]
    result = search(problems, engines, config, folder / "trees.jsonl", budget=budget)
    return list(read_trees(folder / "trees.jsonl")), policy, scorer, result
