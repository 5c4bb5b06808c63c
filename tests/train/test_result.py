import math
from pathlib import Path

import orjson

from prmkit.run.results import read_result
from prmkit.train.result import TrainingResult

OLD = {
    "loss": 0.25,
    "auroc": None,
    "brier": 0.0625,
    "ece": 0.125,
    "f1": 0.75,
    "steps": 240.0,
    "tokens": 764360.0,
    "flops": 1781457096960.0,
    "seconds": 21.5,
    "rows": 479.0,
    "labels": 6074.0,
    "cut": 0.0,
    "dropped": 1.0,
    "labels_lost": 3.0,
    "corpus": {
        "read": 400,
        "kept": 399,
        "quarantined": 1,
        "filtered": 0,
        "nodes": 6074,
        "labelled": 6074,
        "source": "trees",
        "path": "runs/demo/annotate/trees.jsonl",
        "options": {},
    },
}
"""metrics.json as it was before results had versions: counts were floats, and what is unknown was null or not there."""


def test_a_result_of_an_older_version_has_counts_that_are_whole(tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_bytes(orjson.dumps(OLD))
    found = read_result(tmp_path / "metrics.json", TrainingResult)
    counts = (found.steps, found.tokens, found.rows, found.labels, found.cut, found.dropped, found.labels_lost)
    assert counts == (240, 764_360, 479, 6074, 0, 1, 3)
    assert {type(count) for count in counts} == {int}
    assert math.isnan(found.auroc)
    assert (found.loss, found.flops, found.pretraining_flops) == (0.25, 1781457096960.0, None)
    assert (found.corpus.kept, found.corpus.path) == (399, "runs/demo/annotate/trees.jsonl")
