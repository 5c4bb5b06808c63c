"""Files as the world delivers them: mutated rows give no crash and no silent loss, whatever the corpus."""

import json
import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.grade.code.outcomes import expected_of
from prmkit.row_files import local_rows
from prmkit.sandbox import values
from prmkit.sources import SOURCES
from prmkit.sources.corpus import Corpus
from prmkit.trees_io import from_record, to_record
from tests.programs import FORMS
from tests.sources.samples import GOOD_ROWS

ODD_VALUES = (
    *(None, True, False, 0, -1, 10**30, 1.5, -0.0, math.nan, math.inf, "", " ", "\x00", "ки", "nan"),
    *("\u202e\ufeff\u0301", "\U0001f9ee" * 3, [], {}, [None], [[]], {"": None}, "x" * 2000),
)
REAL = {
    "apps": "apps",
    "gsm8k": "gsm8k/test.jsonl",
    "math": "math500",
    "math-aps": "math_aps",
    "math-shepherd": "math_shepherd",
    "prm800k": "prm800k_raw",
    "prmbench": "prmbench",
    "processbench": "processbench/gsm8k.json",
}


def mutated_value(value: Any, rng: random.Random) -> Any:
    """The same JSON value with one thing in it lost, replaced, doubled or renamed."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        what = rng.randrange(8)
        if what == 0:
            return {name: each for name, each in value.items() if name != key}
        if what == 1:
            return {(name + "?" if name == key else name): each for name, each in value.items()}
        if what == 2:
            return value | {"unknown column": rng.choice(ODD_VALUES)}
        return value | {key: mutated_value(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        index = rng.randrange(len(value))
        what = rng.randrange(5)
        if what == 0:
            return value[:index] + value[index + 1 :]
        if what == 1:
            return [*value, value[index]]
        return [*value[:index], mutated_value(value[index], rng), *value[index + 1 :]]
    if isinstance(value, str) and value and rng.random() < 0.5:
        index = rng.randrange(len(value))
        return value[:index] + rng.choice(["", " ", "ки", "\n\n# Answer\n\n", "\r\n", "\u2028", "?"]) + value[index:]
    return rng.choice(ODD_VALUES)


def mutated_line(row: Any, rng: random.Random) -> bytes:
    """A line of JSON, mutated as a value, as bytes, or not at all."""
    for _ in range(rng.randrange(3)):
        row = mutated_value(row, rng)
    line = json.dumps(row, ensure_ascii=rng.random() < 0.3).encode("utf-8", "surrogatepass")
    what = rng.randrange(10)
    cut = rng.randrange(len(line) + 1)
    if what == 0:
        return line[:cut]
    if what == 1:
        return line[:cut] + bytes([rng.randrange(256)]) + line[cut + 1 :]
    if what == 2:
        return b"\xef\xbb\xbf" + line + b"\r"
    if what == 3:
        return line.replace(b'"', b'"\\ud800', 1)
    return line


def every_row_is_accounted_for(name: str, rows: list[Any], seed: int, lines: int, folder: Path) -> None:
    rng = random.Random(seed)
    path = folder / "hostile.jsonl"
    path.write_bytes(b"".join(mutated_line(rng.choice(rows), rng) + b"\n" for _ in range(lines)))
    written = sum(1 for _ in local_rows(path))
    corpus = Corpus(name, str(path), max_bad=1.0)
    kept = list(corpus)
    counts = corpus.counts
    assert counts.read == written == counts.kept + counts.quarantined + counts.filtered
    assert (len(kept), len(corpus.bad)) == (counts.kept, counts.quarantined)
    for tree in kept:
        assert all(node.text.strip() for node in tree)
    for bad in corpus.bad:
        assert bad["where"].startswith(f"{path}:")
        assert bad["error"]


def test_every_source_has_a_good_row() -> None:
    assert GOOD_ROWS.keys() == SOURCES.builtin.keys()


@pytest.mark.parametrize("name", sorted(GOOD_ROWS))
def test_the_good_row_is_kept(name: str) -> None:
    tree = SOURCES.load(name)(GOOD_ROWS[name], "f:1")
    assert tree is not None
    assert tree.problem.prompt.startswith(("1 + 1?", "How many?", "Add."))


@pytest.mark.parametrize("name", sorted(GOOD_ROWS))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_mutated_rows_are_kept_quarantined_or_filtered(name: str, seed: int, tmp_path: Path) -> None:
    every_row_is_accounted_for(name, [GOOD_ROWS[name]], seed, 25, tmp_path)


def mutated_problem(row: dict[str, Any], rng: random.Random) -> Any:
    """The row with up to three things changed in it, or in the JSON that one of its texts holds."""
    if "input_output" in row:
        row = row | {"input_output": json.loads(row["input_output"])}
    for _ in range(rng.randrange(1, 4)):
        row = mutated_value(row, rng)
    if isinstance(row, dict) and isinstance(row.get("input_output"), dict) and rng.random() < 0.8:
        row = row | {"input_output": json.dumps(row["input_output"])}
    return row


def has_tests(row: dict[str, Any]) -> bool:
    tests = row.get("input_output") or "{}"
    if isinstance(tests, str):
        tests = json.loads(tests)
    listed = [tests.get("inputs"), *(row.get(kind) for kind in ("sample_io", "test_list"))]
    kinds = [row.get(kind) for kind in ("public_tests", "private_tests", "generated_tests")]
    return any(listed) or any(kind["input"] if isinstance(kind, dict) else kind for kind in kinds)


def test_ten_thousand_mutated_problems_can_be_judged_or_are_named() -> None:
    """What is kept comes back from a file as it was and says what each test expects; what is left out has no test."""
    rng, became = random.Random(0), {"kept": 0, "named": 0, "left out": 0}
    for number in range(10_000):
        form = FORMS[rng.choice(sorted(FORMS))]
        row = mutated_problem(form.row, rng)
        try:
            tree = SOURCES.load(form.source)(row, f"f:{number}") if isinstance(row, dict) else None
        except InputError as error:
            became["named"] += str(error).startswith(f"f:{number}: ")
            continue
        if tree is None:
            became["left out"] += not isinstance(row, dict) or not has_tests(row)
            continue
        became["kept"] += 1
        assert from_record(orjson.loads(orjson.dumps(to_record(tree)))) == tree
        for case in tree.problem.tests:
            expected_of(tree.problem, case)
            assert tree.problem.entry_point is None or isinstance(values.decode(case.input), list)
    assert sum(became.values()) == 10_000
    assert min(became.values()) > 50


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("name", sorted(REAL))
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=st.integers(0, 2**32))
def test_ten_thousand_mutated_real_rows(name: str, seed: int, data_dir: Path, tmp_path: Path) -> None:
    """25 rows in each of 50 examples, for each of eight corpora."""
    rows = [row.parse() for row, _ in zip(local_rows(data_dir / REAL[name]), range(40), strict=False)]
    every_row_is_accounted_for(name, rows, seed, 25, tmp_path)


def test_a_line_of_ten_megabytes_is_a_row_like_others(tmp_path: Path) -> None:
    long = GOOD_ROWS["trl"] | {"completions": ["x" * 10_000_000, "3"]}
    broken = orjson.dumps(long)[:-1]
    path = tmp_path / "long.jsonl"
    path.write_bytes(b"\n".join([orjson.dumps(long), broken, orjson.dumps(GOOD_ROWS["trl"])]))
    corpus = Corpus("trl", str(path), max_bad=0.5)
    assert [len(tree.nodes[0].text) for tree in corpus] == [10_000_000, 4]
    assert [bad["where"] for bad in corpus.bad] == [f"{path}:2"]
    assert len(corpus.bad[0]["row"]) == 10_000


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row | {"labels": [True]}, "steps and labels differ in number"),
        (lambda row: row | {"labels": [True, "nan"]}, "illegal label, got 'nan'"),
        (lambda row: row | {"completions": ["a", "\u200b "]}, None),
        (lambda row: row | {"completions": ["a", " \t"]}, "empty step"),
        (lambda row: row | {"more": 1}, None),
    ],
)
def test_what_is_wrong_is_said_with_its_line(
    tmp_path: Path, change: Callable[[dict[str, Any]], dict[str, Any]], message: str | None
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(orjson.dumps(GOOD_ROWS["trl"]) + b"\r\n" + orjson.dumps(change(GOOD_ROWS["trl"])) + b"\r\n")
    corpus = Corpus("trl", str(path), max_bad=0.5)
    trees = list(corpus)
    assert len(trees) == (2 if message is None else 1)
    if message is not None:
        assert corpus.bad[0]["where"] == f"{path}:2"
        assert message in corpus.bad[0]["error"]
