import asyncio
from dataclasses import replace

import pytest

from prmkit.annotate.monte_carlo import MonteCarloConfig, monte_carlo
from prmkit.grade import grader_for
from prmkit.session import Session
from prmkit.tree import Problem, StepTree
from tests.fakes import ScriptedGenerator, make_session
from tests.programs import FORMS, fenced


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


@pytest.mark.parametrize("form", FORMS)
def test_steps_of_programs_of_every_form_are_labelled_by_what_rollouts_do(form: str) -> None:
    """From the good step one of two rollouts is right, and no other; what ends in a program is right by that alone."""
    right, wrong = fenced(FORMS[form].right), fenced(FORMS[form].wrong)
    tree = StepTree.from_steps(FORMS[form].problem, ["good", "bad"])
    for program in (right, wrong):
        tree.add(0, program, finish="eos")

    def script(prompt: str, sample: int) -> tuple[str, str]:
        return (right if "good" in prompt and "bad" not in prompt and sample == 0 else wrong), "eos"

    session = make_session(ScriptedGenerator(script), tree=tree)  # type: ignore[arg-type]
    session = Session(tree, replace(session._engines, grader_for=grader_for))
    asyncio.run(monte_carlo(session, MonteCarloConfig(rollouts=2, kind="soft")))
    assert [node.label and node.label.value for node in session.tree] == [0.5, 0.0, 1.0, 0.0]
