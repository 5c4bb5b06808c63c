from collections import Counter

import pytest

from prmkit.errors import InputError, InputErrors
from prmkit.score.aggregate import Aggregation
from prmkit.search.options import StrategyConfig, bind_strategy
from prmkit.search.weighted_best_of_n import weighted_best_of_n
from prmkit.session.budget import BudgetConfig
from tests.search.world import World, run, world_session

# Three solutions, of which the first two come to the answer 4. The grader of the fakes takes the last step for it.
SOLUTIONS = {"": "a>4! b>4! c>5!"}


def chosen(scores: dict[str, float], *, n: int = 3, aggregation: Aggregation = "last", **limits: int) -> str | None:
    budget = BudgetConfig.model_validate(limits)
    session = world_session(World({}, SOLUTIONS), scores, aggregation=aggregation, budget=budget)
    return run(session, lambda session: weighted_best_of_n(session, n=n))


def test_rewards_of_one_answer_add_up_against_a_better_solution() -> None:
    world = World({"": "a! b! a!"})
    scores = {"a": 0.4, "b": 0.7}
    assert run(world_session(world, scores), lambda session: weighted_best_of_n(session, n=3)) == "a"


@pytest.mark.parametrize(
    ("scores", "winner"),
    [
        # By the least step: a .3, b .4 against c .6 and c .8. Together the answer 4 has .7.
        ({"a": 0.3, "b": 0.4, "4": 0.9, "c": 0.6, "5": 0.9}, "b 4"),
        ({"a": 0.3, "b": 0.4, "4": 0.9, "c": 0.8, "5": 0.9}, "c 5"),
        # And of its solutions the better one answers.
        ({"a": 0.5, "b": 0.3, "4": 0.9, "c": 0.6, "5": 0.9}, "a 4"),
    ],
)
def test_the_answer_with_the_most_reward_wins_and_its_best_solution_speaks_for_it(
    scores: dict[str, float], winner: str
) -> None:
    assert chosen(scores, aggregation="min") == winner


def test_the_aggregation_of_the_run_decides_what_a_solution_weighs() -> None:
    scores = {"a": 0.1, "b": 0.1, "c": 0.9, "4": 0.5, "5": 0.6}
    # Last: 4 has .5 + .5, 5 has .6. Product: .05 + .05 against .54.
    assert chosen(scores, aggregation="last") in ("a 4", "b 4")
    assert chosen(scores, aggregation="prod") == "c 5"


def test_a_solution_without_an_end_has_no_vote() -> None:
    world = World({}, {"": "x>4~ y>4~ c>5!"})
    session = world_session(world, {"c": 0.1, "5": 0.1})
    assert run(session, lambda session: weighted_best_of_n(session, n=3)) == "c 5"
    assert session.ledger.prm_tokens == 2  # the others were not even read


def test_where_the_budget_ends_it_those_that_came_vote() -> None:
    scores = {"a": 0.9, "b": 0.9, "c": 0.1, "4": 0.3, "5": 0.7}
    assert chosen(scores, generations=3) == "c 5"  # .6 against .7
    assert chosen(scores, generations=2) in ("a 4", "b 4")


def test_equal_rewards_are_broken_by_seed_and_fairly() -> None:
    won = Counter(
        run(world_session(World({"": "a! b!"}), {"a": 0.5, "b": 0.5}, seed=seed), lambda s: weighted_best_of_n(s, n=2))
        for seed in range(100)
    )
    assert set(won) == {"a", "b"}
    assert min(won.values()) > 25


def test_no_solution_is_no_answer() -> None:
    session = world_session(World({"": "a~"}), {})
    assert run(session, lambda session: weighted_best_of_n(session, n=2)) is None


def test_a_vote_needs_a_prm_and_two_solutions() -> None:
    with pytest.raises(InputError, match="the strategy asks for step scores, but the run has no PRM"):
        run(world_session(World(SOLUTIONS, SOLUTIONS)), lambda session: weighted_best_of_n(session, n=2))
    with pytest.raises(InputErrors, match="Here a vote needs at least two"):
        bind_strategy(StrategyConfig(name="weighted-best-of-n", options={"n": 1}))
