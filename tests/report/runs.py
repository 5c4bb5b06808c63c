"""Run folders written by hand."""

from pathlib import Path
from typing import Any

import orjson

from prmkit.tree import ROOT, Problem, StepTree
from prmkit.trees_io import write_trees
from prmkit.yaml_io import dump_yaml

HOSTILE = "<script>alert(1)</script>"


def estimate(value: float | None, stderr: float | None = 0.01, n: int = 200) -> dict[str, Any]:
    return {"value": value, "stderr": stderr, "n": n}


def write_run(folder: Path, stage: str, metrics: dict[str, Any], **files: Any) -> Path:
    folder.mkdir(parents=True)
    record = {"recipe": {"stage": stage, "about": HOSTILE}, "seed": 7, "created": "now", "versions": {"prmkit": "0"}}
    (folder / "run.yaml").write_text(dump_yaml(record))
    (folder / "metrics.json").write_bytes(orjson.dumps(metrics))
    for name, content in files.items():
        (folder / f"{name}.json").write_bytes(orjson.dumps(content))
    return folder


def search_run(folder: Path, *, difference: float = 0.2, benchmark: str = "synthetic-math") -> Path:
    """Two problems; of the second, the right solution has score 0.9 and the wrong one 0.125."""
    trees = []
    for name, answers in (("one", [("wrong too", 0.5)]), ("two", [("4 is right", 0.9), (f"5 {HOSTILE}", 0.125)])):
        tree = StepTree(Problem(id=name, prompt=f"{name}? {HOSTILE}", answer="4"))
        for text, score in answers:
            tree.add(ROOT, text, score=score, finish="eos")
        trees.append(tree)
    evaluation = {
        "problems": 200,
        "aggregation": "last",
        "selection": {
            f"{rule}@{k}": estimate(0.5 if rule == "maj" else 0.7) for k in (1, 2, 4) for rule in ("pass", "maj", "prm")
        },
        "differences": {"prm@4 - maj@4": estimate(difference, 0.05), "prm@4 - pass@1": estimate(difference, 0.05)},
        "within_problem_auc": estimate(0.876, 0.012, 150),
        "correct": {"one": [False], "two": [True, False]},
    }
    ledger = {"generations": 1600, "decode_tokens": 83721, "prm_tokens": 115562}
    run = write_run(folder, "search", {"benchmark": benchmark, "ledger": ledger, "seconds": 8.6}, evaluation=evaluation)
    write_trees(run / "trees.jsonl", trees)
    return run


def train_run(folder: Path) -> Path:
    run = write_run(folder, "train", {"loss": 0.4, "tokens": 1000.0, "seconds": 12.0})
    header = "step,epoch,train_loss,loss,auroc,brier,lr,seconds\n"
    (run / "history.csv").write_text(header + "1,0,0.7,0.6,0.7,0.2,0.001,1\n2,1,0.5,0.4,nan,0.1,0.0,2\n")
    return run


def similarity_run(folder: Path) -> Path:
    row = {"first": "math", "second": "code", "mean": 31.25, "stderr": None, "sum": 12.5, "chance": 8.0, "pairs": 40}
    return write_run(folder, "similarity", {"table": [row], "seconds": 1.0})
