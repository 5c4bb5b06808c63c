import asyncio
from collections import Counter

from prmkit.search.majority import majority
from prmkit.tree import ROOT, Finish
from tests.fakes import ScriptedGenerator, make_session


def chosen_answer(written: list[tuple[str, Finish]], seed: int = 0) -> str | None:
    session = make_session(ScriptedGenerator(lambda prompt, sample: written[sample]), seed=seed)
    leaf = asyncio.run(majority(session, n=len(written)))
    return None if leaf == ROOT else session.tree.nodes[leaf].text


def test_the_most_frequent_answer_wins() -> None:
    assert chosen_answer([("7", "eos"), ("4", "eos"), ("4", "eos")]) == "4"


def test_an_unfinished_solution_has_no_vote() -> None:
    assert chosen_answer([("4", "length"), ("4", "length"), ("7", "eos")]) == "7"
    assert chosen_answer([("4", "length")]) is None


def test_a_tie_is_broken_by_seed_and_fairly() -> None:
    winners = Counter(chosen_answer([("4", "eos"), ("7", "eos")], seed=seed) for seed in range(200))
    # Binomial(200, 1/2): 60 to 140 is beyond five standard deviations.
    assert 60 < winners["4"] < 140
    assert winners["4"] + winners["7"] == 200
