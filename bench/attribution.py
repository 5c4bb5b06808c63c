"""Does attribution find a planted mistake? On the embedded world, where the truth of every step is known.

    python bench/attribution.py [--quick] [--prm CHECKPOINT]

Trains a PRM from the shipped backbone on solutions labelled with the truth (or takes one), plants one wrong step in
right solutions of unseen problems, and explains the first bad score, where the PRM gives one. Figures: how often the
wrong step is the one that lowers that score most (FeatureAblation, Shapley values), or changes it most, and the largest
convergence delta.
"""

import argparse
import asyncio
import json
import random
import re
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from prmkit.attribution import Attribution
from prmkit.attribution.explain import attribute
from prmkit.benchmarks.synthetic_math import correct_steps, problems, write
from prmkit.benchmarks.synthetic_world import OPERATIONS, Slips, instructions_of
from prmkit.models.checkpoint import LoadedPRM, load_prm
from prmkit.recipe.bind import bind
from prmkit.recipe.catalog import locate
from prmkit.recipe.compose import compose
from prmkit.recipe.execute import execute
from prmkit.score.transformers import TransformersScorer
from prmkit.tree import Label, Problem, StepTree
from prmkit.trees_io import write_trees
from prmkit.world import WEIGHTS

_VALUE = re.compile(r"= (\d) #")


class Case(NamedTuple):
    """A solution in which one step alone is wrong in itself; what follows goes on from its value."""

    problem: Problem
    steps: list[str]
    wrong: int


def mistakes(problem: Problem, steps: list[str]) -> list[tuple[int, bool]]:
    """The steps that do not do what their instruction says, and whether their value is wrong too."""
    before, value, found = "x", int(problem.prompt.split()[2]), []
    for number, (instruction, text) in enumerate(zip(instructions_of(problem.prompt), steps, strict=False)):
        operation = OPERATIONS[instruction.operation]
        stated = _VALUE.search(text)
        assert stated is not None
        wrong = operation.apply(value, instruction.operand) % 10 != int(stated[1])
        if wrong or f"= {operation.expression.format(v=before, k=instruction.operand)} =" not in text:
            found.append((number, wrong))
        before, value = instruction.letter, int(stated[1])
    return found


def planted(*, seed: int) -> Iterator[Case]:
    """One case a problem."""
    rng = random.Random(seed)
    for problem in problems(1000, seed=seed):
        for _ in range(200):
            steps = write(problem.prompt, rng, Slips(misread=0.3, miscalculate=0.05, corrected=0.0))
            found = mistakes(problem, steps)
            if len(found) == 1 and found[0][1]:
                yield Case(problem, steps, found[0][0])
                break


def train(folder: Path, solutions: int) -> Path:
    """A PRM that learned the truth of every step."""
    rng = random.Random(0)
    trees = []
    for problem in problems(solutions // 4, seed=0, split="train"):
        for number in range(4):
            steps = write(problem.prompt, rng, Slips(misread=0.3, miscalculate=0.05))
            labels = [Label(value=float(right), source="human") for right in correct_steps(problem, steps)]
            one = Problem(id=f"{problem.id}/{number}", prompt=problem.prompt, answer=problem.answer)
            trees.append(StepTree.from_steps(one, steps, labels))
    write_trees(folder / "trees.jsonl", trees)
    overrides = [
        f"data.path={folder / 'trees.jsonl'}",
        f"model.name={WEIGHTS / 'backbone'}",
        "train.batch_size=32",
        "train.epochs=8",
        "train.patience=8",
    ]
    run, _ = execute(bind(compose(locate("synthetic/train"), overrides)), folder / "train")
    return run.checkpoint


def seen_bad(prm: LoadedPRM, case: Case) -> bool:
    """Whether the PRM gives a bad score at all: without one there is nothing to explain."""
    tree = StepTree.from_steps(case.problem, case.steps)
    scores = asyncio.run(TransformersScorer(prm).score(tree, range(len(tree))))
    return min(scores.values) < 0.5


def first(found: Attribution, method: int, wrong: int, *, size: bool = False) -> bool:
    """Whether the wrong step comes first among those the explained score has read."""
    one = found.by_step[method]
    if size:
        return int(np.abs(one.array()[: found.explained + 1, found.explained]).argmax()) == wrong
    return one.lowering(found.explained)[0] == wrong


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="10 cases; needs --prm to end within 90 s")
    parser.add_argument("--prm", type=Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        prm = load_prm(arguments.prm or train(Path(folder), 400 if arguments.quick else 2400), dtype=torch.float32)
        print(f"PRM after {time.monotonic() - start:.0f} s", flush=True)
    pairs: list[tuple[Attribution, Case]] = []
    seen = 0
    for case in planted(seed=77):
        seen += 1
        if seen_bad(prm, case):
            pairs.append((attribute(prm, case.problem, case.steps, samples=10), case))
        if len(pairs) == (10 if arguments.quick else 100):
            break
    found = [one for one, _ in pairs]
    deltas = [one.by_token[0].relative_delta or 0.0 for one in found]
    figures = {
        "ablation_ranks_wrong_step_first": np.mean([first(one, 0, case.wrong) for one, case in pairs]),
        "shapley_ranks_wrong_step_first": np.mean([first(one, 1, case.wrong) for one, case in pairs]),
        "ablation_size_ranks_wrong_step_first": np.mean([first(one, 0, case.wrong, size=True) for one, case in pairs]),
        "shapley_size_ranks_wrong_step_first": np.mean([first(one, 1, case.wrong, size=True) for one, case in pairs]),
        "planted_mistakes_that_the_prm_sees": len(pairs) / seen,
        "first_bad_score_is_the_wrong_step": np.mean([one.explained == case.wrong for one, case in pairs]),
        "largest_convergence_delta": max(deltas),
        "ablation_of_top_tokens": np.mean([one.by_token[0].ablation for one in found]),
        "ablation_of_random_tokens": np.mean([one.by_token[0].random_ablation for one in found]),
    }
    print(
        json.dumps(
            {
                name: {"value": float(v), "unit": "", "peer": "the planted truth", "n": len(pairs)}
                for name, v in figures.items()
            }
        )
    )


if __name__ == "__main__":
    main()
