from pathlib import Path

import orjson
import pytest

from prmkit.errors import InputError
from prmkit.search.result import COSTS, read_costs

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
