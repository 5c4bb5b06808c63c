"""Search runs written by hand, of problems whose answer is 4."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from prmkit.tree import ROOT, Problem, StepTree
from prmkit.trees_io import write_trees
from prmkit.yaml_io import dump_yaml

SPENT = {"generations": 2, "generated_tokens": 20, "total_tokens": 40, "flops": None, "seconds": 1.0}


def search_run(folder: Path, problems: Sequence[Sequence[tuple[str, float | None]]], **recipe: Any) -> Path:
    """A run whose problems have one-step solutions, each an answer and its score."""
    trees, costs = [], []
    for number, solutions in enumerate(problems):
        tree = StepTree(Problem(id=f"p{number}", prompt=f"{number}?", answer="4"), meta={"aggregation": "last"})
        tree.meta["strategy"] = "best-of-n"
        for answer, score in solutions:
            tree.add(ROOT, f"#### {answer}", score=score, finish="eos")
        trees.append(tree)
        parts = [[leaf] for leaf in range(len(solutions))]
        costs.append({"problem": f"p{number}", "right": True, "exhausted": False, **SPENT, "parts": parts})
    folder.mkdir(parents=True)
    write_trees(folder / "trees.jsonl", trees)
    (folder / "costs.jsonl").write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in costs))
    asked = {"stage": "search", "strategy": {"name": "best-of-n", "options": {"n": 2}}, **recipe}
    (folder / "run.yaml").write_text(dump_yaml({"recipe": asked}))
    return folder
