import asyncio
import math

import pytest

from prmkit.annotate.omega import OmegaConfig, Rollout, State, omega, priority
from prmkit.annotate.rollouts import RolloutShare
from prmkit.tree import ROOT, Node, Problem, StepTree
from tests.annotate.worlds import PROBLEM, session_on, values
from tests.fakes import ScriptedGenerator

X = Node(parent=ROOT, text="x")


def half(prompt: str, sample: int) -> tuple[str, str]:
    """At the start every second rollout goes wrong at its third step; later, one follows what stands before."""
    if prompt == "?\n":
        return ("a\nb\n4" if sample % 2 == 0 else "a\nb\nbad\nc\n5"), "eos"
    return ("5" if "bad" in prompt or sample % 2 else "4"), "eos"


def grown(script: object = half, tree: StepTree | None = None, **options: object) -> tuple[StepTree, ScriptedGenerator]:
    tree = StepTree(PROBLEM) if tree is None else tree
    generator = ScriptedGenerator(script)  # type: ignore[arg-type]
    config = OmegaConfig(**{"rollouts": 4, "searches": 1, **options})  # type: ignore[arg-type]
    asyncio.run(omega(session_on(tree, generator), config))
    return tree, generator


def test_the_priority_is_the_papers() -> None:
    state = State(RolloutShare(successes=3, rollouts=4), selected=1)
    rollout = Rollout(steps=(X,), tokens=250, finished=True, right=False)
    # 0.5 ** 0.25 * 0.9 ** 0.5 + 0.125 * sqrt(9) / 2
    expected = 0.8408964152537146 * 0.9486832980505138 + 0.1875
    assert priority(state, rollout, 9, OmegaConfig()) == pytest.approx(expected)


def test_a_wrong_rollout_is_searched_and_each_step_tried_becomes_a_labelled_state() -> None:
    tree, generator = grown()
    # The right rollout a, b, 4 is kept. The wrong one a, b, bad, c, 5 is tried at bad (none of 4), then at b (2 of 4),
    # whose right rollout "4" is the one that is there already.
    assert [(node.text, node.parent) for node in tree] == [
        *[("a", -1), ("b", 0), ("4", 1)],
        *[("bad", 1), ("c", 3), ("5", 4)],
    ]
    assert values(tree) == [None, 0.5, 1.0, 0.0, None, 0.0]
    assert [prompt for prompt, _ in generator.requests] == ["?\n", "?\na\nb\nbad\n", "?\na\nb\n"]


def test_hard_labels_are_also_given_to_the_steps_that_a_state_implies() -> None:
    tree, _ = grown(kind="hard")
    assert values(tree) == [1.0, 1.0, 1.0, 0.0, None, 0.0]
    assert tree.nodes[0].label is not None
    assert tree.nodes[0].label.rollouts == 0


def test_a_selected_rollout_never_comes_back() -> None:
    """Four rollouts at the start, two of them wrong and equal, and two wrong ones "5" after b: no more searches."""
    tree, generator = grown(searches=100)
    assert len(generator.requests) == 3
    assert len([node for node in tree if node.text == "5"]) == 2


@pytest.mark.parametrize("answer", ["4", "5"])
def test_a_problem_that_is_always_or_never_solved_is_not_searched(answer: str) -> None:
    tree, generator = grown(lambda prompt, sample: (answer, "eos"), searches=9)
    assert len(generator.requests) == 1
    assert len(tree) == (1 if answer == "4" else 0)


def test_a_rollout_cut_by_its_length_is_not_searched() -> None:
    tree, generator = grown(lambda prompt, sample: ("4", "eos") if sample else ("a\nb", "length"), searches=9)
    assert [node.text for node in tree] == ["4"]
    assert len(generator.requests) == 1


def test_solutions_that_are_there_are_the_rollouts_of_the_problem() -> None:
    tree = StepTree.from_steps(PROBLEM, ["a", "bad", "5"])
    tree.nodes[-1] = type(tree.nodes[-1])(parent=1, text="5", finish="eos")
    tree.add(0, "4", finish="eos")
    _, generator = grown(tree=tree)
    assert [prompt for prompt, _ in generator.requests] == ["?\na\nbad\n", "?\na\n"]
    assert values(tree) == [0.5, 0.0, 0.0, 1.0]


def test_states_that_often_succeed_and_short_rollouts_come_first() -> None:
    config = OmegaConfig()
    likely, unlikely = State(RolloutShare(successes=7, rollouts=8)), State(RolloutShare(successes=1, rollouts=8))
    short, long = Rollout((X,), 10, True, False), Rollout((X,), 900, True, False)
    assert priority(likely, short, 0, config) > priority(unlikely, short, 0, config)
    assert priority(likely, short, 0, config) > priority(likely, long, 0, config)
    often = State(likely.share, selected=5)
    assert priority(often, short, 5, config) < priority(likely, short, 5, config)
    assert math.isclose(priority(likely, short, 0, config), 0.5**0.125 * 0.9**0.02)


def test_a_problem_without_an_answer_is_left_alone() -> None:
    tree, generator = grown(tree=StepTree(Problem(id="p", prompt="?")))
    assert (len(tree), generator.requests) == (0, [])
