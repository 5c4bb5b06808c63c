import json
import math
from pathlib import Path

import orjson
import pytest

from prmkit.errors import InputError
from prmkit.grade.config import GradingConfig
from prmkit.run.results import read_result, write_result
from prmkit.search.result import COSTS, SearchResult, read_costs
from prmkit.session.ledger import Ledger
from prmkit.stats import Estimate

SPENT = {"generations": 4, "generated_tokens": 40, "total_tokens": 80, "flops": None, "seconds": 2.0}
COST = {"problem": "p", "right": True, "exhausted": False, **SPENT}


def costs(folder: Path, *records: object) -> Path:
    (folder / COSTS).write_bytes(b"".join(orjson.dumps(record) + b"\n" for record in records))
    return folder / "trees.jsonl"


def test_costs_stand_beside_the_trees_in_their_order(tmp_path: Path) -> None:
    checkpoint = {**SPENT, "generations": 2, "leaves": [0, 3]}
    trees = costs(tmp_path, COST | {"parts": [[0], [3]]}, COST | {"problem": "q", "checkpoints": [checkpoint]})
    first, second = read_costs(trees)
    assert (first.problem, first.parts, first.checkpoints, first.flops) == ("p", [[0], [3]], [], None)
    assert (second.checkpoints[0].leaves, second.checkpoints[0].generations) == ([0, 3], 2)
    assert isinstance(first.generations, int)


def test_flops_that_an_engine_cannot_know_are_null_in_the_file_and_unknown_when_read(tmp_path: Path) -> None:
    (cost,) = read_costs(costs(tmp_path, COST | {"ledger": {"generations": 4, "generator_flops": None}}))
    assert cost.ledger.generations == 4
    assert cost.ledger.flops != cost.ledger.flops  # NaN
    assert cost.as_json()["ledger"]["generator_flops"] is None


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"problem": "p", **SPENT}, r"costs\.jsonl:1: right: field required"),
        (COST | {"right": "maybe"}, "costs.jsonl:1: right: .*got 'maybe'"),
        (COST | {"colour": 1}, "colour: extra inputs are not permitted"),
        (COST | {"parts": [0]}, r"parts\.0: .*got 0"),
    ],
)
def test_a_line_that_says_something_else_is_named(tmp_path: Path, record: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_costs(costs(tmp_path, record))


def test_the_line_is_the_one_in_the_file_and_half_a_line_is_none(tmp_path: Path) -> None:
    trees = costs(tmp_path, COST, {"problem": "q"})
    with pytest.raises(InputError, match=r"costs\.jsonl:2: generations: field required"):
        read_costs(trees)
    (tmp_path / COSTS).write_text(json.dumps(COST) + '\n{"problem": "q", "ri')
    with pytest.raises(InputError, match=r"costs\.jsonl:2: not JSON"):
        read_costs(trees)


def test_trees_without_costs_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"costs\.jsonl: no such file"):
        read_costs(tmp_path / "trees.jsonl")


FOUND = SearchResult(
    benchmark="letters",
    strategy="beam",
    accuracy=Estimate(value=1.0, stderr=math.nan, n=1),
    unanswered=0,
    exhausted=1,
    seconds=2.0,
    ledger=Ledger(decode_tokens=3, prm_flops=math.nan),
    grading=GradingConfig(grader="qwen"),
    isolation=["landlock"],
)


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    write_result(tmp_path / "metrics.json", FOUND)
    stored = json.loads((tmp_path / "metrics.json").read_text())
    assert stored["schema"] == "prmkit/search/1"
    assert (stored["accuracy"]["stderr"], stored["ledger"]["prm_flops"]) == (None, None)
    read = read_result(tmp_path / "metrics.json", SearchResult)
    assert math.isnan(read.ledger.flops)
    assert read.as_json() == FOUND.as_json()


def test_results_of_before_there_were_versions_were_judged_by_default(tmp_path: Path) -> None:
    older = {name: value for name, value in FOUND.as_json().items() if name not in ("grading", "isolation")}
    (tmp_path / "metrics.json").write_text(json.dumps(older))
    read = read_result(tmp_path / "metrics.json", SearchResult)
    assert (read.grading, read.isolation) == (GradingConfig(), [])
    assert read.as_json().items() >= older.items()
