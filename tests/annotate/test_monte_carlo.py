import asyncio

import pytest

from prmkit.annotate.monte_carlo import MonteCarloConfig, monte_carlo
from prmkit.tree import Problem, StepTree
from tests.fakes import ScriptedGenerator, make_session


def rollouts(prompt: str, sample: int) -> tuple[str, str]:
    """From the good step one of four rollouts is right; from the bad step none is."""
    return ("4" if "good" in prompt and "bad" not in prompt and sample == 0 else "5"), "eos"


def annotated(**options: object) -> StepTree:
    tree = StepTree.from_steps(Problem(id="p", prompt="?", answer="4"), ["good", "bad"])
    tree.add(0, "4", finish="eos")
    generator = ScriptedGenerator(rollouts)  # type: ignore[arg-type]
    session = make_session(generator, tree=tree)
    asyncio.run(monte_carlo(session, MonteCarloConfig(rollouts=4, **options)))  # type: ignore[arg-type]
    assert sorted(generator.requests) == [("?\ngood\n", 4), ("?\ngood\nbad\n", 4)]
    return session.tree


def test_a_soft_label_is_the_share_of_successes_with_its_standard_error() -> None:
    labels = [node.label for node in annotated(kind="soft")]
    assert [label and label.value for label in labels] == [0.25, 0.0, 1.0]
    # sqrt(0.25 * 0.75 / 4) = 0.2165...
    assert labels[0] is not None
    assert labels[0].stderr == pytest.approx(0.21650635)
    assert [label and label.rollouts for label in labels] == [4, 4, 1]


@pytest.mark.parametrize(("threshold", "expected"), [(0.0, [1.0, 0.0, 1.0]), (0.25, [0.0, 0.0, 1.0])])
def test_a_hard_label_is_whether_the_share_is_above_the_threshold(threshold: float, expected: list[float]) -> None:
    tree = annotated(kind="hard", threshold=threshold)
    assert [node.label and node.label.value for node in tree] == expected


def test_a_problem_without_an_answer_stays_unlabelled() -> None:
    tree = StepTree.from_steps(Problem(id="p", prompt="?"), ["good"])
    generator = ScriptedGenerator(rollouts)  # type: ignore[arg-type]
    asyncio.run(monte_carlo(make_session(generator, tree=tree), MonteCarloConfig()))
    assert tree.nodes[0].label is None
    assert generator.requests == []


def test_a_step_that_a_limit_cut_in_two_stays_unlabelled() -> None:
    tree = StepTree.from_steps(Problem(id="p", prompt="?", answer="4"), ["good"])
    tree.add(0, "half of a st", finish="length")
    asyncio.run(monte_carlo(make_session(ScriptedGenerator(rollouts), tree=tree), MonteCarloConfig()))  # type: ignore[arg-type]
    assert [node.label is None for node in tree] == [False, True]
