import asyncio

import pytest

from prmkit.errors import InputError
from prmkit.score.aggregate import Aggregation
from prmkit.score.reading import ReadingScorer
from prmkit.session import Session
from prmkit.tree import ROOT, Problem, Reads, StepTree
from tests.fakes import ScriptedGenerator, TableScorer, make_session
from tests.score.narrow import NarrowScorer, path_of

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


THINKING = "(t0) (t1) a0 a1"
SCORES = {"t0": 0.5, "t1": 0.25, "a0": 0.8, "a1": 0.4}
AGGREGATED: dict[Reads, dict[Aggregation, float]] = {
    # 0.5 + 0.25 + 0.8 + 0.4 = 1.95; 0.5 * 0.25 * 0.8 * 0.4 = 0.04
    "both": {"last": 0.4, "min": 0.25, "prod": 0.04, "mean": 0.4875, "sum": 1.95},
    "thought": {"last": 0.25, "min": 0.25, "prod": 0.125, "mean": 0.375, "sum": 0.75},
    "answer": {"last": 0.4, "min": 0.4, "prod": 0.32, "mean": 0.6, "sum": 1.2},
}
"""The score of a solution of two thoughts and two answer steps, by what is read of it."""


def thinking(reads: Reads, steps: str = THINKING) -> tuple[Session, TableScorer]:
    """A session on a path that has come to its end."""
    tree, scorer = path_of(steps), TableScorer(SCORES)
    tree.set_finish(len(tree) - 1, "eos")
    return make_session(TWO_STEPS, scorer=ReadingScorer(scorer, reads), tree=tree), scorer  # type: ignore[arg-type]


@pytest.mark.parametrize("reads", AGGREGATED)
def test_a_solution_is_scored_by_the_steps_that_the_prm_reads(reads: Reads) -> None:
    session, scorer = thinking(reads)
    assert not session.scored(3)
    asyncio.run(session.score([3]))
    assert session.scored(3)
    found = {how: session.solution_score(3, how) for how in AGGREGATED[reads]}
    assert found == pytest.approx(AGGREGATED[reads])
    read = {"both": ["t0", "t1", "a0", "a1"], "thought": ["t0", "t1"], "answer": ["a0", "a1"]}[reads]
    assert scorer.asked == read
    assert [node.score for node in session.tree] == [SCORES[text] if text in read else None for text in SCORES]
    assert session.tree.reads == reads


@pytest.mark.parametrize(
    ("reads", "scores"),
    [("both", [0.5, 0.25, 0.8, 0.4]), ("thought", [0.5, 0.25, 0.25, 0.25]), ("answer", [1.0, 1.0, 0.8, 0.4])],
)
def test_a_step_that_is_not_read_has_the_score_of_the_one_before_it_that_is(reads: Reads, scores: list[float]) -> None:
    session, scorer = thinking(reads)
    assert asyncio.run(session.score([3, 0, 1, 2])) == [scores[3], *scores[:3]]
    asked = list(scorer.asked)
    assert asyncio.run(session.score(range(4))) == scores
    assert scorer.asked == asked


def test_of_what_is_not_read_at_all_an_unfinished_path_is_neutral_and_a_finished_one_the_least() -> None:
    session, scorer = thinking("answer", "(t0) (t1)")
    assert asyncio.run(session.score([0, 1])) == [1.0, 0.0]
    assert [session.solution_score(0, how) for how in ("sum", "prod", "min", "mean", "last")] == [0.0, 1, 1, 1, 1]  # type: ignore[arg-type]
    assert [session.solution_score(1, how) for how in ("sum", "prod", "min")] == [0.0, 0.0, 0.0]  # type: ignore[arg-type]
    assert not session.scored(1)  # so that it does not take part beside those that are
    assert (scorer.asked, session.ledger.prm_calls) == ([], 0)


def test_a_thought_that_the_prm_cannot_read_unfinishes_the_answer_that_follows_it() -> None:
    """Also where the thought was scored before, as an inner step."""
    for asked in ([[2]], [[1], [2]]):
        tree = path_of("(t) (tttt) a")
        tree.set_finish(2, "eos")
        scorer = ReadingScorer(NarrowScorer(4), "thought")
        session = make_session(TWO_STEPS, scorer=scorer, tree=tree)  # type: ignore[arg-type]
        scores = [asyncio.run(session.score(nodes))[0] for nodes in asked]
        assert scores == [0.0] * len(asked)
        assert [node.finish for node in tree] == [None, None, "length"]
        assert tree.nodes[2].score is None


def test_scores_of_a_prm_that_read_other_steps_are_not_mixed() -> None:
    session, _ = thinking("answer")
    asyncio.run(session.score([3]))
    again = make_session(TWO_STEPS, scorer=ReadingScorer(TableScorer({}), "answer"), tree=session.tree)  # type: ignore[arg-type]
    assert asyncio.run(again.score([3])) == [0.4]
    with pytest.raises(InputError, match="scores of a PRM that reads others, got 'answer'; expected both"):
        make_session(TWO_STEPS, scorer=TableScorer({}), tree=session.tree)
    make_session(TWO_STEPS, tree=session.tree)  # who has no PRM changes none
    assert session.tree.reads == "answer"


def test_a_path_beyond_the_context_is_read_by_windows_and_the_ledger_counts_the_steps() -> None:
    tree = path_of("s0 s1 s2 s3 s4")
    tree.set_finish(4, "eos")
    session = make_session(TWO_STEPS, scorer=ReadingScorer(NarrowScorer(5)), tree=tree)  # type: ignore[arg-type]
    alone = ReadingScorer(NarrowScorer(5))
    expected = asyncio.run(alone.score(path_of("s0 s1 s2 s3 s4"), range(5))).values
    assert asyncio.run(session.score([4])) == [pytest.approx(expected[4], abs=1e-7)]
    assert [node.score for node in tree] == pytest.approx(expected, abs=1e-7)
    assert tree.finished(4)
    # Two steps fit: s0 s1, s1 s2, s2 s3, s3 s4, each of 1 + 2 x 2 tokens; what was computed counts.
    assert (session.ledger.prm_windowed, session.ledger.prm_tokens, session.ledger.prm_calls) == (3, 20, 1)


@pytest.mark.parametrize("whole", [True, False])
def test_one_of_two_requests_of_a_node_may_end_the_solution_there(whole: bool) -> None:
    replies = iter([("", "eos"), ("b\n", "eos")])
    generator = ScriptedGenerator(lambda prompt, sample: next(replies))  # type: ignore[arg-type,return-value]
    tree = StepTree(Problem(id="p", prompt="?", answer="4"))
    node = tree.add(ROOT, "a", finish="stop")
    session = make_session(generator, tree=tree)
    ask = session.complete_each if whole else session.expand_each
    (ended,), (longer,) = asyncio.run(ask([(node, 1), (node, 1)]))
    assert [session.tree.steps(leaf) for leaf in (ended, longer)] == [["a"], ["a", "b"]]
    assert session.tree.finished(ended)
    assert session.tree.finished(longer)
