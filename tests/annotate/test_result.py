from pathlib import Path

import orjson

from prmkit.annotate.result import AnnotationResult
from prmkit.run.results import read_result
from prmkit.session.ledger import Ledger

OLD = {
    "read": {"corpora": [], "answered": 2, "unanswered": 1},
    "problems": 400,
    "trees": 398,
    "unlabelled": 2,
    "steps": 6074,
    "labelled": 6000,
    "mean_label": None,
    "seconds": 23.5,
    "passes": {"solutions": {"rollouts": 1200, "tokens": 75591}, "labels": {"rollouts": 19496, "tokens": 506898}},
    "ledger": {**Ledger(decode_tokens=9).as_dict(), "generator_flops": None},
}
"""metrics.json as it was before results had versions: no consensus where there was one annotator."""


def read(folder: Path, **more: object) -> AnnotationResult:
    (folder / "metrics.json").write_bytes(orjson.dumps(OLD | more))
    return read_result(folder / "metrics.json", AnnotationResult)


def test_a_result_of_an_older_version_is_read(tmp_path: Path) -> None:
    found = read(tmp_path)
    assert (found.read.answered, found.read.unanswered) == (2, 1)
    assert (found.passes["labels"].rollouts, found.ledger.decode_tokens) == (19_496, 9)
    assert found.ledger.generator_flops != found.ledger.generator_flops
    assert (found.mean_label, found.consensus) == (None, None)


def test_its_consensus_is_that_of_today(tmp_path: Path) -> None:
    agreement = {"first": "a", "second": "b", "solutions": 4, "agree": 0.75, "kappa": None}
    consensus = {"solutions": 5, "kept": 3, "kept_share": 0.6, "dropped": {"no verdict": 2}, "agreement": [agreement]}
    found = read(tmp_path, consensus=consensus).consensus
    assert found is not None
    assert (found.dropped, found.agreement[0].agree, found.agreement[0].kappa) == ({"no verdict": 2}, 0.75, None)
