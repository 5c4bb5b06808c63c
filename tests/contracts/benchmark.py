"""What every benchmark must keep. Run it on your own:

from tests.contracts.benchmark import check_benchmark

def test_mine():
    check_benchmark("my_package.module:load", {"split": "test"})
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from prmkit.benchmarks import load
from prmkit.grade import grader_for
from prmkit.tree import Problem


def check_benchmark(name: str, options: Mapping[str, Any] | None = None, *, path: Path | None = None) -> None:
    """Load some problems in every way that a recipe can ask for them, and judge their own answers.

    Args:
        name: a benchmark by name or dotpath, with 6 problems at least.
        options: what it takes besides.
        path: its local file.

    Raises:
        AssertionError: it does not keep something.
    """
    known = dict(options or {})
    problems = load(name, path=path, limit=6, seed=1, **known)
    assert len(problems) == 6, "a limit is not how many come"
    assert load(name, path=path, limit=6, seed=1, **known) == problems, "the same seed gives other problems"
    fewer = load(name, path=path, limit=3, seed=1, **known)
    assert fewer == problems[:3], "a smaller limit gives other problems than the first ones"
    for problem in problems:
        assert problem.prompt.strip(), f"{problem.id}: no text"
        _check_judged(problem)


def _check_judged(problem: Problem) -> None:
    judge = grader_for(problem.domain)
    if problem.domain == "math":
        assert problem.answer is not None, f"{problem.id}: no answer to judge by"
        right, wrong = judge.correct(problem, [problem.answer, "no such answer"])
        assert right, f"{problem.id}: its own answer is not right"
        assert not wrong, f"{problem.id}: any answer is right"
    else:
        assert problem.tests or problem.check, f"{problem.id}: no test to judge by"
        if problem.reference is not None and not judge.unsupported(problem):
            right, wrong = judge.correct(problem, [problem.reference, "raise SystemExit"])
            assert right, f"{problem.id}: its own program is not right"
            assert not wrong, f"{problem.id}: any program is right"
