import asyncio

import pytest

from prmkit.errors import InputError
from prmkit.tree import ROOT, Problem, StepTree
from tests.fakes import ScriptedGenerator, TableScorer, make_session

TWO_STEPS = ScriptedGenerator(lambda prompt, sample: (f"s{sample}\n4\n", "eos"))


def test_complete_grows_one_path_a_sample() -> None:
    session = make_session(ScriptedGenerator(lambda prompt, sample: (f"s{sample}\n4\n", "eos")))
    leaves = asyncio.run(session.complete(ROOT, 2))
    assert [session.tree.steps(leaf) for leaf in leaves] == [["s0", "4"], ["s1", "4"]]
    assert [node.finish for node in session.tree] == ["stop", "eos", "stop", "eos"]


def test_a_solution_cut_by_length_is_not_finished_and_never_right() -> None:
    session = make_session(ScriptedGenerator(lambda prompt, sample: ("4", "length")))
    leaves = asyncio.run(session.complete(ROOT, 1))
    assert not session.tree.finished(leaves[0])
    assert asyncio.run(session.correct(leaves)) == [False]
    assert asyncio.run(session.classes(leaves)) == [None]
    assert asyncio.run(session.outcomes(ROOT, 1)) == [False]


def test_where_the_policy_writes_nothing_there_is_no_solution() -> None:
    session = make_session(ScriptedGenerator(lambda prompt, sample: ("\n", "eos")))
    assert asyncio.run(session.complete(ROOT, 2)) == [ROOT, ROOT]
    assert len(session.tree) == 0


def test_outcomes_judge_rollouts_from_a_step_and_leave_the_tree_alone() -> None:
    tree = StepTree.from_steps(Problem(id="p", prompt="?", answer="4"), ["first"])
    generator = ScriptedGenerator(lambda prompt, sample: ("4" if sample % 2 else "5", "eos"))
    session = make_session(generator, tree=tree)
    assert asyncio.run(session.outcomes(0, 3)) == [False, True, False]
    assert generator.requests == [("?\nfirst\n", 3)]
    assert len(session.tree) == 1


def test_each_step_is_scored_once() -> None:
    scorer = TableScorer({"s0": 0.5, "s1": 0.25, "4": 0.75})
    session = make_session(TWO_STEPS, scorer=scorer)
    leaves = asyncio.run(session.complete(ROOT, 2))
    assert asyncio.run(session.score(leaves)) == [0.75, 0.75]
    assert asyncio.run(session.score(leaves)) == [0.75, 0.75]
    assert scorer.asked == ["s0", "4", "s1", "4"]
    assert (session.ledger.prm_calls, session.ledger.prm_tokens) == (1, 4)
    assert session.solution_score(leaves[1]) == 0.75


def test_scores_without_a_prm_are_an_error_not_zero() -> None:
    session = make_session(TWO_STEPS)
    leaves = asyncio.run(session.complete(ROOT, 1))
    with pytest.raises(InputError, match="the run has no PRM"):
        asyncio.run(session.score(leaves))
    with pytest.raises(InputError, match="a step was not scored"):
        session.solution_score(leaves[0])


def test_random_numbers_are_fixed_by_seed_problem_and_purpose() -> None:
    draws = [make_session(TWO_STEPS, seed=seed).random(purpose).random() for seed in (0, 1) for purpose in ("a", "b")]
    assert len(set(draws)) == 4
    assert draws[0] == make_session(TWO_STEPS).random("a").random()


def test_a_session_beside_has_its_own_tree_and_ledger() -> None:
    session = make_session(TWO_STEPS)
    beside = session.beside(StepTree.from_steps(session.tree.problem, ["given"]))
    asyncio.run(beside.complete(0, 1))
    assert beside.tree.steps(2) == ["given", "s0", "4"]
    assert len(session.tree) == 0
    assert (session.ledger.continuations, beside.ledger.continuations) == (0, 1)


def test_tokens_are_those_of_problem_and_steps() -> None:
    """The encoder of the fakes: a token a character, a line end after the problem and after each step."""
    session = make_session(TWO_STEPS, tree=StepTree.from_steps(Problem(id="p", prompt="ask"), ["one", "four"]))
    assert (session.tokens(ROOT), session.tokens(1)) == (4, 4 + 4 + 5)
