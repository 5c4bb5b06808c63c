import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from prmkit.errors import RunError
from prmkit.grade.math import equality, prm800k, qwen
from prmkit.grade.math.equality import Workers


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """One process: what one pair does to it, the next one meets."""
    workers = Workers(count=1, seconds=60.0)
    yield workers
    workers.close()


def process_of(workers: Workers) -> "equality.subprocess.Popen[bytes]":
    (worker,) = workers._idle
    return worker._process


@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [
        (r"\frac12", "0.5", "equal"),
        ("x+1", "1+x", "equal"),
        ("x+1", "x-1", "different"),
        (r"\{1,2\}", r"\{2,1\}", "equal"),
        ("(1,2)", "(2,1)", "different"),
        ("1<x<2", "(1,2)", "equal"),  # math-verify alone says so only the other way round
        ("(1,2)", "1<x<2", "equal"),
        (r"\ldots", "1", "unparsed"),
        ("1", r"\ldots", "different"),
    ],
)
def test_two_answers_by_math_verify(workers: Workers, gold: str, answer: str, verdict: str) -> None:
    assert workers.compare([(gold, answer)]) == [verdict]


def test_verdicts_stand_in_the_order_of_their_pairs() -> None:
    workers = Workers(count=2, seconds=60.0)
    try:
        pairs = [("x+1", f"{number}+x") for number in range(6)]
        assert workers.compare(pairs) == ["different", "equal", *["different"] * 4]
        assert len(workers._idle) <= 2
        assert workers.compare([]) == []
    finally:
        workers.close()


def test_a_worker_serves_again_until_it_is_closed(workers: Workers) -> None:
    workers.compare([("1", "2")])
    process = process_of(workers)
    workers.compare([("3", "4")])
    assert process_of(workers) is process
    workers.close()
    assert process.poll() is not None
    assert workers.compare([("x+1", "1+x")]) == ["equal"]  # by another, started when it was asked
    assert process_of(workers) is not process


def test_a_pair_that_hangs_counts_as_different_and_the_worker_is_replaced() -> None:
    workers = Workers(seconds=4.0, count=1)
    try:
        hang = "9^{9^{9^{9}}}"
        assert workers.compare([(hang, "5"), ("x+1", "1+x")]) == ["different", "equal"]
    finally:
        workers.close()


def test_a_worker_that_died_costs_one_pair(workers: Workers) -> None:
    workers.compare([("1", "2")])
    process = process_of(workers)
    process.kill()
    process.wait()
    assert workers.compare([("x+1", "1+x")]) == ["different"]
    assert workers.compare([("x+1", "1+x")]) == ["equal"]


def test_what_a_worker_says_besides_verdicts_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\necho ready\nwhile read line; do echo maybe; done\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    workers = Workers(count=1)
    try:
        assert workers.compare([("1", "1")]) == ["different"]
    finally:
        workers.close()


def test_a_worker_that_does_not_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\nexit 1\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    with pytest.raises(RunError, match=r"does not start \(is math-verify installed\?\)"):
        Workers(count=1).compare([("x", "y")])


@pytest.mark.parametrize(("relation", "verdict"), [("prm800k", "different"), ("qwen", "equal")])
def test_the_other_relations_compare_in_workers_too(relation: equality.Relation, verdict: str) -> None:
    workers = Workers(count=1, relation=relation, seconds=60.0)
    try:
        assert workers.compare([("4", "2^2")]) == [verdict]
    finally:
        workers.close()


def test_a_relation_that_is_not_symmetric_is_tried_both_ways() -> None:
    gold, answer = "B", "The answer is (B)"  # a choice is looked for in the answer alone
    assert qwen.same(gold, answer)
    assert not qwen.same(answer, gold)
    compare = equality._either("prmkit.grade.math.qwen")
    assert compare(gold, answer) == compare(answer, gold) == "equal"


def test_what_another_grader_cannot_compare_is_different(monkeypatch: pytest.MonkeyPatch) -> None:
    def same(gold: str, answer: str) -> bool:
        raise RecursionError

    monkeypatch.setattr(prm800k, "same", same)
    assert equality._either("prmkit.grade.math.prm800k")("1", "1") == "different"
