"""Run folders written by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from prmkit.tree import ROOT, Problem, StepTree
from prmkit.trees_io import append_lines, write_trees
from prmkit.yaml_io import dump_yaml

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\u2028'\" onclick=alert(3)"
VERSIONS = {"prmkit": "0", "torch": "2"}


def estimate(value: float | None, stderr: float | None = 0.01, n: int = 200) -> dict[str, Any]:
    return {"value": value, "stderr": stderr, "n": n}


def write_run(
    folder: Path,
    stage: str,
    metrics: Mapping[str, Any] | None,
    recipe: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] = VERSIONS,
    **files: Any,
) -> Path:
    """A folder with run.yaml, metrics.json (but for None) and other JSON files."""
    folder.mkdir(parents=True)
    asked = {"stage": stage, "about": HOSTILE, **(recipe or {})}
    record = {"recipe": asked, "seed": 7, "created": "now", "versions": dict(versions)}
    (folder / "run.yaml").write_text(dump_yaml(record))
    if metrics is not None:
        (folder / "metrics.json").write_bytes(orjson.dumps(metrics))
    for name, content in files.items():
        (folder / f"{name}.json").write_bytes(orjson.dumps(content))
    return folder


def search_run(folder: Path, *, difference: float = 0.2, benchmark: str = "synthetic-math") -> Path:
    """Two problems; of the second, the right solution has score 0.9 and the wrong one 0.125."""
    trees = []
    for name, answers in (("one", [("wrong too", 0.5)]), ("two", [("4 is right", 0.9), (f"5 {HOSTILE}", 0.125)])):
        tree = StepTree(Problem(id=name, prompt=f"{name}? {HOSTILE}", answer="4", level="3"), meta={"chosen": "0"})
        for text, score in answers:
            tree.add(ROOT, text, score=score, finish="eos")
        trees.append(tree)
    selection = {
        f"{rule}@{k}": estimate(0.5 if rule == "maj" else 0.7) for k in (1, 2, 4) for rule in ("pass", "maj", "prm")
    }
    evaluation = {
        "problems": 200,
        "aggregation": "last",
        "selection": selection,
        "differences": {"prm@4 - maj@4": estimate(difference, 0.05), "prm@4 - pass@1": estimate(difference, 0.05)},
        "groups": {"level": {"3": selection, HOSTILE: selection}},
        "within_problem_auc": estimate(0.876, 0.012, 150),
        "correct": {"one": [False], "two": [True, False]},
        "calibration": {
            "brier": estimate(0.1, 0.02),
            "ece": 0.25,
            "reliability": [{"low": 0.5, "high": 0.6, "steps": 4, "score": 0.55, "right": 0.75}],
            "by_position": [
                {"position": name, "steps": 2, "score": 0.55, "right": 0.75, "brier": 0.1, "ece": 0.2}
                for name in ("1", "10+")
            ],
        },
    }
    ledger = {"generations": 1600, "decode_tokens": 83721, "prm_tokens": 115562, "generator_flops": None}
    metrics = {"benchmark": benchmark, "strategy": "best-of-n", "ledger": ledger, "seconds": 8.6}
    run = write_run(folder, "search", metrics, evaluation=evaluation)
    write_trees(run / "trees.jsonl", trees)
    append_lines(run / "costs.jsonl", [cost("one", False), cost("two", True)])
    return run


def cost(problem: str, right: bool, seconds: float = 1.0) -> dict[str, Any]:
    spent = {"generations": 4, "generated_tokens": 40, "total_tokens": 60, "flops": None, "seconds": seconds}
    return {"problem": problem, "right": right, "exhausted": False, **spent}


def strategy_run(
    folder: Path, right: Mapping[str, bool], *, prompt: str = "?", left: str = "left", **options: Any
) -> Path:
    """A search by one strategy that chose rightly or wrongly on each of these problems."""
    metrics = {"benchmark": "b", "strategy": folder.name, "accuracy": estimate(sum(right.values()) / len(right))}
    run = write_run(folder, "search", metrics, **options)
    trees = []
    for name, is_right in right.items():
        tree = StepTree(Problem(id=name, prompt=prompt, answer="4"), meta={"chosen": "1"})
        first = tree.add(ROOT, "the same first step", score=0.5)
        tree.add(first, "4" if is_right else f"5 by {folder.name}", score=0.75, finish="eos")
        tree.add(first, left, score=0.25)
        trees.append(tree)
    write_trees(run / "trees.jsonl", trees)
    append_lines(run / "costs.jsonl", [cost(name, is_right) for name, is_right in right.items()])
    return run


def comparison_run(folder: Path, strategies: Mapping[str, Mapping[str, bool]], *, named: Sequence[str] = ()) -> Path:
    """Strategies side by side as `prmkit search` leaves them; ``named`` are in the recipe, but have no folder."""
    compare = {name: {"name": name, "options": {}} for name in (*strategies, *named)}
    run = write_run(folder, "search", {"benchmark": "b", "strategies": []}, recipe={"compare": compare})
    for name, right in strategies.items():
        strategy_run(run / name, right)
    return run


def train_run(folder: Path) -> Path:
    run = write_run(folder, "train", {"loss": 0.4, "auroc": 0.91, "tokens": 1000.0, "seconds": 12.0})
    header = "step,epoch,train_loss,loss,auroc,brier,lr,seconds\n"
    (run / "history.csv").write_text(header + "1,0,0.7,0.6,0.7,0.2,0.001,1\n2,1,0.5,0.4,nan,0.1,0.0,2\n")
    return run


def similarity_run(folder: Path) -> Path:
    row = {"first": "math", "second": "code", "mean": 31.25, "stderr": None, "sum": 12.5, "chance": 8.0, "pairs": 40}
    return write_run(folder, "similarity", {"table": [row], "seconds": 1.0})
