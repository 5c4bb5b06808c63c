import math
from pathlib import Path
from typing import Any

import orjson
import pytest

from prmkit.errors import InputError
from prmkit.run.results import read_result
from prmkit.similarity.result import SimilarityResult
from prmkit.similarity.statistics.result import (
    BaselineScore,
    LayerProfile,
    SelectionTest,
    SetDifference,
    SetScore,
)


def old() -> dict[str, Any]:
    """metrics.json as it was before results had versions: per cent, the origin beside the rest, no empty part."""
    pair = {"first": "prm", "second": "code"}
    facts = {name: {"value": 0.5, "stderr": None, "n": 1} for name in ("tokens", "steps", "right", "rethinks")}
    return {
        "table": [{**pair, "mean": 25.0, "stderr": None, "sum": 2.5, "chance": 12.5, "centred": -6.25, "pairs": 10}],
        "profile": [{"layer": 0, "prm - code": 50.0, "code - code": 75.0}, {"layer": -1, "prm - code": 25.0}],
        "differences": [
            {
                "pair": "prm - code",
                "less": "math - code",
                "difference": -1.5625,
                "stderr": 0.78125,
                "low": -3.125,
                "high": 0.0,
                "problems": 60,
            }
        ],
        "random_selection": [
            {
                **pair,
                "strata": "correct and length",
                "observed": 50.0,
                "expected": 37.5,
                "low": 25.0,
                "high": 62.5,
                "p_value": 0.25,
                "draws": 10_000,
                "problems": 60,
                "free": 55,
                "p_holm": 0.5,
            }
        ],
        "baselines": [{"baseline": "n-grams", **pair, "mean": 62.5, "stderr": 6.25}],
        "mmd": [{"kernel": "patterns", **pair, "squared": 0.875}],
        "texts": [{"set": "prm", "responses": 1, **facts, "markers per 100 tokens": facts["tokens"]}],
        "responses": {"prm": 60, "code": 120},
        "reference": "runs/demo/world/backbone",
        "dtype": "float32",
        "known": ["F is the highest logit"],
        "inferred": ["linear layers alone"],
        "seconds": 1.5,
    }


def read(folder: Path, record: dict[str, Any]) -> SimilarityResult:
    (folder / "metrics.json").write_bytes(orjson.dumps(record))
    return read_result(folder / "metrics.json", SimilarityResult)


def test_an_older_result_is_read_in_fractions_with_its_origin_apart(tmp_path: Path) -> None:
    found = read(tmp_path, old())
    (row,) = found.table
    assert math.isnan(row.stderr)
    assert row.model_copy(update={"stderr": 0.0}) == SetScore(
        first="prm", second="code", mean=0.25, stderr=0.0, sum=2.5, chance=0.125, centred=-0.0625, pairs=10
    )
    assert found.profile == [
        LayerProfile(layer=0, means={"prm - code": 0.5, "code - code": 0.75}),
        LayerProfile(layer=-1, means={"prm - code": 0.25}),
    ]
    assert found.differences == [
        SetDifference(
            pair="prm - code",
            less="math - code",
            difference=-0.015625,
            stderr=0.0078125,
            low=-0.03125,
            high=0.0,
            problems=60,
        )
    ]
    assert found.random_selection == [
        SelectionTest(
            first="prm",
            second="code",
            strata="correct and length",
            observed=0.5,
            expected=0.375,
            low=0.25,
            high=0.625,
            p_value=0.25,
            p_holm=0.5,
            draws=10_000,
            problems=60,
            free=55,
        )
    ]
    assert found.baselines == [BaselineScore(baseline="n-grams", first="prm", second="code", mean=0.625, stderr=0.0625)]
    assert found.mmd[0].squared == 0.875  # it never was in per cent
    assert (found.texts[0].markers.value, found.texts[0].right.value) == (0.5, 0.5)  # type: ignore[union-attr]
    assert found.origin == {"reference": "runs/demo/world/backbone", "dtype": "float32"}
    assert found.responses == {"prm": 60, "code": 120}
    assert (found.known, found.inferred) == (["F is the highest logit"], ["linear layers alone"])
    assert found.seconds == 1.5


def test_of_an_older_engine_without_a_gram_there_is_the_table_alone(tmp_path: Path) -> None:
    """It centred nothing, and a difference of one problem had no error."""
    record = {name: old()[name] for name in ("table", "responses", "seconds", "dtype")}
    record["table"][0]["centred"] = None
    found = read(tmp_path, record)
    assert found.table[0].centred is None
    assert (found.profile, found.differences, found.baselines, found.texts) == ([], [], [], [])
    one = old()
    one["differences"][0] |= {"stderr": None, "low": None, "high": None}
    (difference,) = read(tmp_path, one).differences
    assert difference.difference == -0.015625
    assert math.isnan(difference.low)


def test_the_form_of_today_is_taken_as_it_is(tmp_path: Path) -> None:
    found = read(tmp_path, old())
    again = read(tmp_path, {"schema": "prmkit/similarity/1", **found.as_json()})
    assert again.as_json() == found.as_json()
    assert again.table[0].mean == 0.25


@pytest.mark.parametrize("lost", ["table", "mean", "layer"])
def test_an_older_file_that_is_none_is_refused_by_name(tmp_path: Path, lost: str) -> None:
    record = old()
    for part in (record, record["table"][0], record["profile"][0]):
        part.pop(lost, None)
    with pytest.raises(InputError, match=r"metrics\.json: .*An older prmkit wrote it: make it again\."):
        read(tmp_path, record)
