from pathlib import Path
from typing import Any

import pytest

from prmkit.tree import Problem
from tests.contracts.benchmark import check_benchmark


@pytest.mark.parametrize("name", ["synthetic-math", "synthetic-code"])
def test_a_generated_benchmark_keeps_the_contract(name: str) -> None:
    check_benchmark(name)


def sums(
    *,
    path: Path | None,
    limit: int | None,
    seed: int,
    fault: str,
    counts: list[int] = [],  # noqa: B006
) -> list[Problem]:
    """Somebody's own, with a fault on demand."""
    counts.append(0)
    first = len(counts) if fault == "another draw" else 0
    if fault == "order":
        first = 6 - (limit or 0)
    answer = {"no answer": None, "no verdict": "no such answer"}.get(fault, "1")
    return [Problem(id=str(first + index), prompt="What is 3 - 2?", answer=answer) for index in range(limit or 6)]


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        ("another draw", "the same seed"),
        ("order", "a smaller limit"),
        ("no answer", "no answer to judge by"),
        ("no verdict", "any answer is right"),
    ],
)
def test_the_contract_finds_faults(fault: str, complaint: str) -> None:
    options: dict[str, Any] = {"fault": fault}
    with pytest.raises(AssertionError, match=complaint):
        check_benchmark("tests.contracts.test_benchmarks:sums", options)


def test_without_a_fault_there_is_no_complaint() -> None:
    check_benchmark("tests.contracts.test_benchmarks:sums", {"fault": "none"})
