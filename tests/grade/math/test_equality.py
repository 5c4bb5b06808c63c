import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from prmkit.errors import RunError
from prmkit.grade.math import equality, prm800k
from prmkit.grade.math.equality import LATE, Workers

ONE = {"values": [["1.000000000000000000000000000000000000000", "0"]], "name": ""}


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    """One process: what one request does to it, the next one meets."""
    workers = Workers(count=1, seconds=60.0, budget=120.0)
    yield workers
    workers.close()


def process_of(workers: Workers) -> "equality.subprocess.Popen[bytes]":
    (worker,) = workers._idle
    return worker._process


def test_replies_stand_in_the_order_of_their_requests() -> None:
    workers = Workers(count=2, seconds=60.0, budget=120.0)
    try:
        replies = workers.ask([("values", text) for text in ("1", "2", r"\ldots", "1")])
        assert [replies[0], replies[2], replies[3]] == [ONE, None, ONE]
        assert len(workers._idle) <= 2
        assert workers.ask([]) == []
    finally:
        workers.close()


def test_a_worker_serves_again_until_it_is_closed(workers: Workers) -> None:
    workers.ask([("values", "1")])
    process = process_of(workers)
    workers.ask([("values", "2")])
    assert process_of(workers) is process
    workers.close()
    assert process.poll() is not None
    assert workers.ask([("values", "1")]) == [ONE]  # by another, started when it was asked
    assert process_of(workers) is not process


def test_a_request_that_runs_out_of_time_is_late_and_the_next_one_is_served() -> None:
    workers = Workers(count=1, seconds=1.0, budget=120.0)
    try:
        slow = [("values", rf"\sum_{{k=1}}^{{10^{{12}}}}\frac{{x}}{{k^{power}+x}}") for power in (2, 3)]
        assert workers.ask([*slow, ("values", "1")]) == [LATE, LATE, ONE]
        assert workers.ask([("values", "9^{9^{9^{9}}}"), ("values", "1")])[1] == ONE  # killed, if it cannot stop itself
    finally:
        workers.close()


def test_all_requests_of_a_call_share_a_budget() -> None:
    workers = Workers(count=1, seconds=60.0, budget=2.0)
    try:
        workers.ask([("values", "1")])
        start = time.monotonic()
        slow = r"\sum_{k=1}^{10^{12}}\frac{x}{k^2+x}"
        assert workers.ask([("values", slow)] * 50) == [LATE] * 50
        assert time.monotonic() - start < 50
        assert workers.ask([("values", "1")], deadline=time.monotonic() - 1) == [LATE]
    finally:
        workers.close()


def test_a_worker_that_died_costs_one_request(workers: Workers) -> None:
    workers.ask([("values", "1")])
    process = process_of(workers)
    process.kill()
    process.wait()
    assert workers.ask([("values", "1")]) == [LATE]
    assert workers.ask([("values", "1")]) == [ONE]


def test_what_a_worker_says_besides_replies_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\necho ready\nwhile read line; do echo maybe; done\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    workers = Workers(count=1)
    try:
        assert workers.ask([("values", "1")]) == [LATE]
    finally:
        workers.close()


def test_a_worker_that_does_not_start_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = tmp_path / "python"
    interpreter.write_text("#!/bin/sh\nexit 1\n")
    interpreter.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(interpreter))
    with pytest.raises(RunError, match=r"does not start \(is math-verify installed\?\)"):
        Workers(count=1).ask([("values", "1")])


@pytest.mark.parametrize(("relation", "same"), [("prm800k", False), ("qwen", True)])
def test_the_other_relations_compare_in_workers_too(relation: equality.Relation, same: bool) -> None:
    workers = Workers(count=1, relation=relation, seconds=60.0, budget=120.0)
    try:
        assert workers.ask([("same", "4", "2^2")]) == [same]
    finally:
        workers.close()


def test_another_relation_knows_which_answer_is_gold() -> None:
    compare = equality._one_way("prmkit.grade.math.qwen")
    assert compare("B", "The answer is (B)")  # a choice is looked for in the answer alone
    assert not compare("The answer is (B)", "B")


def test_what_another_grader_cannot_compare_is_different(monkeypatch: pytest.MonkeyPatch) -> None:
    def same(gold: str, answer: str) -> bool:
        raise RecursionError

    monkeypatch.setattr(prm800k, "same", same)
    assert not equality._one_way("prmkit.grade.math.prm800k")("1", "1")
