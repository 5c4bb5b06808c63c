"""What labels cost and how good they are, in the synthetic world; and whether annotation keeps an engine busy.

    python bench/annotation.py [--quick]

Prints a table of estimators against the known truth of every step. Precision: of the solutions in which an error is
named, the share in which it is the true first one; recall: of the wrong solutions, the share whose first error is
named; accuracy: of all solutions, the share with the right verdict. Members of the consensus are a clumsy writer's
rollouts, a careful writer's, and a judge that errs in a sixth of the solutions. Rates are of the demo's policy here.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from search_parts.peer import text_behind
from world import JudgeGenerator, WriterGenerator, engines, solutions, true_first_error

from prmkit.annotate import bind
from prmkit.annotate.consensus import Consensus, ConsensusConfig, first_error
from prmkit.annotate.passes import PassJournal, run_pass
from prmkit.benchmarks import synthetic_math
from prmkit.benchmarks.synthetic_world import Slips
from prmkit.generate import GeneratorConfig, Sampling
from prmkit.generate.transformers import load_generator
from prmkit.session import Engines
from prmkit.session.ledger import Ledger
from prmkit.tree import StepTree
from prmkit.trees_io import read_trees
from prmkit.world import WEIGHTS

SLIPS = Slips(misread=0.25, miscalculate=0.02)
CLUMSY, CAREFUL, JUDGE_ERRORS = Slips(misread=0.5, miscalculate=0.05), Slips(misread=0.1), 1 / 6
ROLLOUTS = 8

MEMBERS = {
    "rollouts, clumsy": ("monte-carlo", {"rollouts": ROLLOUTS, "kind": "hard"}, WriterGenerator, CLUMSY),
    "rollouts, careful": ("binary-search", {"rollouts": ROLLOUTS}, WriterGenerator, CAREFUL),
    "judge": ("judge", {}, JudgeGenerator, JUDGE_ERRORS),
}
METHODS = {
    "monte-carlo hard": ("monte-carlo", {"rollouts": ROLLOUTS, "kind": "hard"}, WriterGenerator, SLIPS),
    "monte-carlo soft": ("monte-carlo", {"rollouts": ROLLOUTS}, WriterGenerator, SLIPS),
    "binary search": ("binary-search", {"rollouts": ROLLOUTS}, WriterGenerator, SLIPS),
    "omega": ("omega", {"rollouts": ROLLOUTS, "kind": "hard", "keep_right": 0}, WriterGenerator, SLIPS),
    **MEMBERS,
}
SOFT = 0.5
"""At or below it a soft label means a wrong step, as a PRM's score does."""


class Verdicts:
    """First errors that an annotator named, against the truth."""

    def __init__(self) -> None:
        self.named = self.found = self.right = self.wrong = self.total = 0

    def add(self, said: int | None, truth: int) -> None:
        self.total += 1
        self.wrong += truth >= 0
        self.named += said is not None and said >= 0
        self.found += truth >= 0 and said == truth
        self.right += said == truth

    @property
    def precision(self) -> float:
        return self.found / max(self.named, 1)

    def row(self, name: str, rollouts: int, tokens: int) -> str:
        recall, accuracy = self.found / self.wrong, self.right / self.total
        return f"{name:20} {self.precision:9.3f} {recall:7.3f} {accuracy:8.3f} {rollouts:9,} {tokens:11,}"


def world(problems: int, each: int, steps: int) -> list[StepTree]:
    """Solutions of ``steps`` steps, the last of which states the answer."""
    found = synthetic_math.problems(problems, seed=3, min_steps=steps - 1, max_steps=steps - 1, split="train")
    return solutions(found, each, SLIPS, seed=5)


def annotated(name: str, trees: Sequence[StepTree], folder: Path) -> tuple[list[StepTree], Ledger]:
    estimator, options, kind, quality = METHODS[name]
    bare = [StepTree(tree.problem, nodes=list(tree.nodes)) for tree in trees]
    out = folder / f"{name}.jsonl"
    journal = PassJournal(None, name)
    ledger = run_pass(bare, lambda: engines(kind, quality, journal, seed=1), bind(estimator, options), out)
    return list(read_trees(out)), ledger


def judged(trees: Sequence[StepTree], labelled: Sequence[StepTree], threshold: float) -> Verdicts:
    verdicts = Verdicts()
    for tree, labels in zip(trees, labelled, strict=True):
        for leaf in tree.leaves():
            verdicts.add(first_error(labels, leaf, threshold), true_first_error(tree.problem, tree.steps(leaf)))
    return verdicts


def quality(trees: Sequence[StepTree], folder: Path) -> dict[str, dict[str, object]]:
    """The table, and the figures of consensus and binary search."""
    print(f"{'estimator':20} {'precision':>9} {'recall':>7} {'accuracy':>8} {'rollouts':>9} {'tokens':>11}")
    labelled, cost, found = {}, {}, {}
    for name in METHODS:
        labelled[name], cost[name] = annotated(name, trees, folder)
        found[name] = judged(trees, labelled[name], SOFT if name == "monte-carlo soft" else 0.0)
        ledger = cost[name]
        print(found[name].row(name, ledger.continuations, ledger.prefill_tokens + ledger.decode_tokens))
    consensus = Consensus(list(MEMBERS), ConsensusConfig())
    agreed = Verdicts()
    for tree, *versions in zip(trees, *(labelled[name] for name in MEMBERS), strict=True):
        kept = consensus.keep(versions)
        for leaf in kept.leaves() if kept is not None else ():
            steps = kept.steps(leaf)
            agreed.add(first_error(kept, leaf, 0.0), true_first_error(tree.problem, steps))
    total = sum(cost[name].continuations for name in MEMBERS)
    tokens = sum(cost[name].prefill_tokens + cost[name].decode_tokens for name in MEMBERS)
    print(agreed.row("consensus of 3", total, tokens))
    report = consensus.report()
    print(f"kept {report.kept} of {report.solutions}; dropped: {report.dropped}")
    for row in report.agreement:
        print(f"{row.first} - {row.second}: agree {row.agree:.3f}, kappa {row.kappa:.3f}")
    ratio = cost["binary search"].continuations / cost["monte-carlo hard"].continuations
    same = judged_alike(trees, labelled["binary search"], labelled["monte-carlo hard"])
    print(f"binary search: {ratio:.3f} of Monte Carlo's rollouts, the same first error in {same:.1%} of the solutions")
    n = report.solutions
    best = max(found[name].precision for name in MEMBERS)
    return {
        "binary_search_rollouts_ratio": {"value": ratio, "unit": "ratio", "peer": "monte-carlo hard", "n": n},
        "same_first_errors": {"value": same, "unit": "share", "peer": "monte-carlo hard", "n": n},
        "consensus_precision": {"value": agreed.precision, "unit": "share", "peer": "best member", "n": agreed.named},
        "best_member_precision": {"value": best, "unit": "share", "peer": None, "n": n},
    }


def judged_alike(trees: Sequence[StepTree], first: Sequence[StepTree], second: Sequence[StepTree]) -> float:
    pairs = [
        (first_error(a, leaf, 0.0), first_error(b, leaf, 0.0))
        for tree, a, b in zip(trees, first, second, strict=True)
        for leaf in tree.leaves()
    ]
    return sum(a == b for a, b in pairs) / len(pairs)


def bulk_rate_ratio(problems: int, runs: int, folder: Path) -> dict[str, object]:
    """Sampled tokens a second of Monte Carlo annotation, in units of the engine's own when it is given all at once."""
    config = GeneratorConfig(name=str(WEIGHTS / "policy"), sampling=Sampling(max_tokens=160), max_rows=512)
    generator, text = load_generator(config)
    trees = world(problems, 3, 5)
    ratios = []
    for run in range(runs):
        shared = Engines(generator=generator, text=text, sampling=config.sampling, seed=run)
        bare = [StepTree(tree.problem, nodes=list(tree.nodes)) for tree in trees]
        estimate = bind("monte-carlo", {"rollouts": ROLLOUTS})
        start = time.perf_counter()
        ledger = run_pass(bare, lambda shared=shared: shared, estimate, folder / f"rate-{run}.jsonl")
        rate = ledger.decode_tokens / (time.perf_counter() - start)
        ratios.append(rate / bulk_rate(shared, trees, run))
        print(f"annotation: {rate:.0f} tokens/s, {ratios[-1]:.2f} of the engine's own rate")
    return {"value": statistics.median(ratios), "unit": "ratio", "peer": "the engine's bulk rate", "n": runs}


def bulk_rate(engines: Engines, trees: Sequence[StepTree], seed: int) -> float:
    """The same prompts, all handed to the engine at once, nothing graded."""

    async def every() -> int:
        prompts = [
            text_behind(engines, tree.up_to(node)).prompt
            for tree in trees
            for node in range(len(tree))
            if not tree.finished(node)
        ]
        replies = await asyncio.gather(
            *(engines.generator.generate(ids, ROLLOUTS, sampling=engines.sampling, seed=seed) for ids in prompts)
        )
        return sum(reply.decode_tokens for reply in replies)

    start = time.perf_counter()
    tokens = asyncio.run(every())
    return tokens / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a sample that ends within 90 s")
    quick = parser.parse_args().quick
    with tempfile.TemporaryDirectory() as folder:
        figures = quality(world(40 if quick else 200, 4, 8), Path(folder))
        figures["bulk_rate_ratio"] = bulk_rate_ratio(8 if quick else 40, 3 if quick else 5, Path(folder))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
