import asyncio

import pytest

from prmkit.errors import InputError
from prmkit.search.best_of_n import best_of_n
from prmkit.tree import ROOT
from tests.fakes import ScriptedGenerator, TableScorer, make_session


def test_the_solution_with_the_highest_reward_wins() -> None:
    # Aggregation "last": rewards are the scores of the last steps, 0.2, 0.9 and 0.6.
    written = ["a\n1", "b\n2", "c\n3"]
    scorer = TableScorer({"a": 0.9, "b": 0.1, "c": 0.5, "1": 0.2, "2": 0.9, "3": 0.6})
    session = make_session(ScriptedGenerator(lambda prompt, sample: (written[sample], "eos")), scorer=scorer)
    leaf = asyncio.run(best_of_n(session, n=3))
    assert session.tree.steps(leaf) == ["b", "2"]


def test_an_unfinished_solution_never_wins_and_is_not_paid_for() -> None:
    scorer = TableScorer({"1": 0.9, "2": 0.1})
    generator = ScriptedGenerator(lambda prompt, sample: (("1", "length"), ("2", "eos"))[sample])
    session = make_session(generator, scorer=scorer)
    leaf = asyncio.run(best_of_n(session, n=2))
    assert session.tree.nodes[leaf].text == "2"
    assert scorer.asked == ["2"]


def test_no_finished_solution_is_no_answer() -> None:
    session = make_session(ScriptedGenerator(lambda prompt, sample: ("1", "length")), scorer=TableScorer({}))
    assert asyncio.run(best_of_n(session, n=2)) == ROOT


def test_equal_rewards_are_broken_by_seed_and_fairly() -> None:
    def chosen(seed: int) -> str:
        generator = ScriptedGenerator(lambda prompt, sample: ("12"[sample], "eos"))
        session = make_session(generator, scorer=TableScorer({"1": 0.5, "2": 0.5}), seed=seed)
        return session.tree.nodes[asyncio.run(best_of_n(session, n=2))].text

    assert chosen(3) == chosen(3)
    # Binomial(200, 1/2): 60 to 140 is beyond five standard deviations.
    assert 60 < sum(chosen(seed) == "1" for seed in range(200)) < 140


def test_one_solution_needs_no_prm_and_two_do() -> None:
    session = make_session(ScriptedGenerator(lambda prompt, sample: ("1", "eos")))
    assert session.tree.nodes[asyncio.run(best_of_n(session, n=1))].text == "1"
    with pytest.raises(InputError, match="the strategy asks for step scores, but the run has no PRM"):
        asyncio.run(best_of_n(make_session(ScriptedGenerator(lambda prompt, sample: ("1", "eos"))), n=2))
