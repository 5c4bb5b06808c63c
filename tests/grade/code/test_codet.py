"""Voting on real programs by what they do."""

from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.evaluate.evaluation import evaluate_solutions
from prmkit.evaluate.solutions import Solution, Solutions
from prmkit.grade.config import GradingConfig
from tests.grade.code.codet import codet_samples


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_vote_by_behaviour_lies_between_one_sample_and_any_and_beats_a_vote_on_text(data_dir: Path) -> None:
    """Every tenth problem, 30 samples; docs/benchmarks.md has the command and the figures of all."""
    problems = load("humaneval-plus", path=data_dir / "humanevalplus" / "HumanEvalPlus.jsonl.gz")
    samples = codet_samples(data_dir, problems)
    assert len({id(given) for given in samples}) == 164  # every row is used once
    every = [
        Solutions(problem=problem, solutions=tuple(Solution(text=text) for text in given[:30]), where=problem.id)
        for problem, given in list(zip(problems, samples, strict=True))[::10]
    ]
    behaviour, text = (
        evaluate_solutions(every, GradingConfig(vote=vote)).selection  # type: ignore[arg-type]
        for vote in ("behaviour", "text")
    )
    one, any_of, vote = (behaviour[name].value for name in ("pass@1", "pass@30", "maj@30"))
    print(behaviour["pass@1"], behaviour["maj@30"], text["maj@30"], behaviour["pass@30"])
    assert one < vote <= any_of
    assert text["maj@30"].value < vote
