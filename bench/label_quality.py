"""Does a consensus pay? A PRM trained on consensus-filtered labels beside one on raw Monte Carlo labels, at equal size.

    python bench/label_quality.py [--quick] [--seeds N]

Solutions, rollouts and judge are the synthetic world's (world.py), the backbone is the demo's. Both PRMs see equally
many solutions of the training side; the raw one a random part of all that were written, with the labels of the clumsy
rollouts; the other one those on which three annotators agree. Tested on problems of the test side: prm@8 and the F1 of
first errors, with 95 % intervals of the paired differences, bootstrapped over problems (the paired runs averaged).
"""

import argparse
import asyncio
import json
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from annotation import CAREFUL, CLUMSY, JUDGE_ERRORS, MEMBERS, annotated
from world import solutions, true_first_error

from prmkit.annotate.consensus import Consensus, ConsensusConfig
from prmkit.benchmarks import synthetic_math
from prmkit.benchmarks.synthetic_world import Slips
from prmkit.evaluate.step_errors import best_threshold, predicted_first_error
from prmkit.models.checkpoint import load_prm
from prmkit.models.config import ModelConfig
from prmkit.score.aggregate import aggregate
from prmkit.score.transformers import TransformersScorer
from prmkit.train.config import TrainConfig
from prmkit.train.fit import train_prm, training_rows
from prmkit.tree import Problem, StepTree
from prmkit.world import WEIGHTS

WRITER = Slips(misread=0.5, miscalculate=0.02)
SAMPLES = 8


def written(problems: int, seed: int, split: str) -> list[StepTree]:
    """Eight solutions of each problem, as trees of one path each, so that sizes compare."""
    found = synthetic_math.problems(problems, seed=seed, split=split)
    trees = []
    for problem in found:
        for sample in range(SAMPLES):
            (tree,) = solutions([problem], 1, WRITER, seed=1000 * seed + sample)
            trees.append(tree)
    return trees


def training_sets(problems: int, seed: int, folder: Path) -> dict[str, list[StepTree]]:
    trees = written(problems, seed, "train")
    versions = {name: annotated(name, trees, folder)[0] for name in MEMBERS}
    consensus = Consensus(list(versions), ConsensusConfig())
    kept = [tree for each in zip(*versions.values(), strict=True) if (tree := consensus.keep(each)) is not None]
    raw = random.Random(seed).sample(versions["rollouts, clumsy"], len(kept))
    print(f"{len(trees)} solutions written, {len(kept)} kept by the consensus; as many drawn with raw labels")
    return {"raw": raw, "consensus": kept}


def trained(trees: Sequence[StepTree], seed: int, folder: Path, steps: int) -> TransformersScorer:
    batch = 16
    config = TrainConfig(
        epochs=max(1, round(steps * batch / len(trees))),
        packing="none",
        batch_size=batch,
        lr=2e-3,
        validations_per_epoch=1,
        patience=100,
        devices=1,
    )
    model = ModelConfig(name=str(WEIGHTS / "backbone"), max_length=256)
    rows = training_rows(trees, model, config, seed=seed)
    result = train_prm(rows, model, folder, progress=False)
    print({name: round(result.metrics[name], 3) for name in ("loss", "auroc", "steps", "labels")})
    return TransformersScorer(load_prm(result.checkpoint))


def step_scores(scorer: TransformersScorer, trees: Sequence[StepTree]) -> list[list[float]]:
    async def every() -> list[list[float]]:
        replies = await asyncio.gather(*(scorer.score(tree, range(len(tree))) for tree in trees))
        return [list(reply.values) for reply in replies]

    return asyncio.run(every())


def outcomes(scores: Sequence[Sequence[float]], trees: Sequence[StepTree], threshold: float, how: str) -> np.ndarray:
    """A row a problem: is the chosen solution right; erroneous solutions, found ones; correct solutions, found ones."""
    rows = []
    for start in range(0, len(trees), SAMPLES):
        part = range(start, start + SAMPLES)
        truth = {index: truth_of(trees[index]) for index in part}
        best = max(part, key=lambda index: aggregate(scores[index], how))  # type: ignore[arg-type]
        said = {index: predicted_first_error(scores[index], threshold) for index in part}
        wrong = [index for index in part if truth[index] >= 0]
        right = [index for index in part if truth[index] < 0]
        final = trees[best].nodes[-1].text == f"#### {trees[best].problem.answer}"
        hits = [sum(said[index] == truth[index] for index in group) for group in (wrong, right)]
        rows.append([float(final), len(wrong), hits[0], len(right), hits[1]])
    return np.array(rows)


def truth_of(tree: StepTree) -> int:
    problem: Problem = tree.problem
    return true_first_error(problem, [node.text for node in tree])


def figures(rows: np.ndarray) -> np.ndarray:
    """prm@8 and first-error F1 of some problems."""
    total = rows.sum(axis=0)
    a, b = total[2] / max(total[1], 1), total[4] / max(total[3], 1)
    return np.array([total[0] / len(rows), 2 * a * b / (a + b) if a + b else 0.0])


def compared(raw: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> dict[str, dict[str, object]]:
    """Differences, averaged over the seeds, with intervals from resampled problems."""

    def difference(chosen: np.ndarray) -> np.ndarray:
        pairs = [figures(b[chosen]) - figures(a[chosen]) for a, b in zip(raw, other, strict=True)]
        return np.mean(pairs, axis=0)

    rng, n = np.random.default_rng(0), len(raw[0])
    draws = np.array([difference(rng.integers(n, size=n)) for _ in range(2000)])
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    values = [np.mean([figures(rows) for rows in each], axis=0) for each in (raw, other)]
    found = {}
    for index, name in enumerate(("prm@8", "first_error_f1")):
        mean = float(difference(np.arange(n))[index])
        print(
            f"{name}: raw {values[0][index]:.3f}, consensus {values[1][index]:.3f}, "
            f"difference {mean:+.3f} [{low[index]:+.3f}, {high[index]:+.3f}] (95 %)"
        )
        peer = {"raw": float(values[0][index]), "interval": [float(low[index]), float(high[index])]}
        found[name] = {"value": float(values[1][index]), "unit": "share", "peer": peer, "n": n}
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a sample that ends within 90 s; its PRMs learn little")
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    problems, steps, tested = (30, 40, 40) if arguments.quick else (150, 300, 150)
    print(f"clumsy {CLUMSY}, careful {CAREFUL}, judge errs in {JUDGE_ERRORS:.2f}")
    tuning, test = written(40, 77, "train"), written(tested, 5, "test")
    rows: dict[str, list[np.ndarray]] = {"raw": [], "consensus": []}
    for seed in range(1 if arguments.quick else arguments.seeds):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for kind, trees in training_sets(problems, seed + 11, folder).items():
                scorer = trained(trees, seed, folder / kind, steps)
                tuned = best_threshold(step_scores(scorer, tuning), [truth_of(tree) for tree in tuning], split="tuning")
                scores = step_scores(scorer, test)
                rows[kind].append(outcomes(scores, test, tuned.value, "min"))
                print(f"seed {seed}, {kind}: threshold {tuned.value:.2f}, prm@8 and F1 {figures(rows[kind][-1])}")
    right = np.array([tree.nodes[-1].text == f"#### {tree.problem.answer}" for tree in test])
    print(f"pass@1 of the writer: {right.mean():.3f}")
    print(json.dumps(compared(rows["raw"], rows["consensus"])))


if __name__ == "__main__":
    main()
