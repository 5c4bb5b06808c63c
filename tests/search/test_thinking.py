"""A made-up policy of the embedded world that thinks aloud before it answers, a token a character."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from prmkit.annotate.rollouts import share_of
from prmkit.generate import Sampling
from prmkit.generate.format import PolicyFormat, ThoughtFormat
from prmkit.generate.text import PolicyText
from prmkit.score.reading import ReadingScorer
from prmkit.search import STRATEGIES
from prmkit.search.options import StrategyConfig, bind_strategy, takes
from prmkit.search.problem_set import search
from prmkit.segment.config import SegmenterConfig
from prmkit.session import Engines, Session
from prmkit.session.journal import Journal
from prmkit.tree import ROOT, Problem, Reads, StepTree
from prmkit.trees_io import from_record, read_trees, to_record
from tests.fakes import LastStepGrader, TableScorer, Typewriter, char_text
from tests.score.narrow import NarrowScorer

PROBLEM = Problem(id="p", prompt="x = 3 . a add 1 .", answer="4")
THOUGHT = "<think>\na = 3 + 2 = 5\n\nWait, a = 3 + 1 = 4\n</think>\n\n"
ANSWER = "a = 3 + 1 = 4\n\n4"
SCORES = {"a = 3 + 2 = 5": 0.1, "Wait, a = 3 + 1 = 4": 0.6, "a = 3 + 1 = 4": 0.9, "4": 0.8, "a = 3 + 2": 0.2}


def text_of(**budget: int) -> PolicyText:
    thoughts = ThoughtFormat(open="<think>", close="</think>", steps=SegmenterConfig(name="separator"), **budget)
    return char_text(PolicyFormat(template="plain", step_end="\n\n", thoughts=thoughts))


def solver(prompt: str) -> str:
    """Goes on with its solution wherever it is; behind a closing that others wrote it answers."""
    written = prompt.partition("\n")[2]
    whole = THOUGHT + ANSWER
    if whole.startswith(written):
        return whole[len(written) :]
    return ANSWER.removeprefix(written.rpartition("</think>\n\n")[2])


def engines(rest: Callable[[str], str] = solver, **budget: int) -> Engines:
    return Engines(
        generator=Typewriter(rest),
        text=text_of(**budget),
        sampling=Sampling(max_tokens=200),
        scorer=TableScorer(SCORES),
        grader_for=lambda domain, grading: LastStepGrader(),
    )


def options(name: str) -> dict[str, int]:
    return {"n": 4} | ({"width": 2} if takes(name, "width") else {})


@pytest.mark.parametrize("name", sorted(STRATEGIES.builtin))
def test_every_strategy_thinks_first_and_answers_then(name: str) -> None:
    session = Session(StepTree(PROBLEM), engines())
    leaf = asyncio.run(bind_strategy(StrategyConfig(name=name, options=options(name)))(session))
    steps = [(node.text, node.thought) for node in map(session.tree.nodes.__getitem__, session.tree.path(leaf))]
    assert steps == [
        ("a = 3 + 2 = 5", True),
        ("Wait, a = 3 + 1 = 4", True),
        ("a = 3 + 1 = 4", False),
        ("4", False),
    ]
    assert session.tree.solution(leaf) == "a = 3 + 1 = 4\n4"
    assert asyncio.run(session.correct([leaf])) == [True]


@pytest.mark.parametrize("name", ["best-of-n", "beam", "mcts"])
def test_a_thought_beyond_its_budget_is_closed_in_every_way_of_drawing(name: str) -> None:
    policy = engines(max_tokens=17)  # "<think>\na = 3 + 2" and not what is wrong behind it
    session = Session(StepTree(PROBLEM), policy)
    leaf = asyncio.run(bind_strategy(StrategyConfig(name=name, options=options(name)))(session))
    assert session.tree.steps(leaf) == ["a = 3 + 2", "a = 3 + 1 = 4", "4"]
    written = "".join(chr(token) for node in session.tree.path(leaf) for token in session.tree.nodes[node].ids or ())
    assert written == "<think>\na = 3 + 2\n</think>\n\n" + ANSWER


def test_a_thought_that_never_closes_is_unfinished_and_has_no_vote() -> None:
    def rambler(prompt: str) -> str:
        return ("<think>\n4\n\n" * 2).removeprefix(prompt.partition("\n")[2]) + "\n\nboxed 4"

    session = Session(StepTree(PROBLEM), engines(rambler))
    (leaf,) = asyncio.run(session.complete(ROOT, 1))
    assert not session.tree.finished(leaf)
    assert asyncio.run(session.classes([leaf])) == [None]
    assert asyncio.run(session.outcomes(ROOT, 2)) == [False, False]


def test_a_killed_search_replays_thoughts_ids_and_forced_closings(tmp_path: Path) -> None:
    found = []
    for name in ("first", "second"):
        policy = replace(engines(max_tokens=17), journal=Journal(tmp_path / "journal.jsonl"))
        search([PROBLEM], policy, StrategyConfig(name="beam", options=options("beam")), tmp_path / f"{name}.jsonl")
        found.append((tmp_path / f"{name}.jsonl").read_bytes())
        policy.journal.close()
        if name == "second":
            assert policy.generator.requests == []  # type: ignore[attr-defined]
    assert found[0] == found[1]
    (tree,) = read_trees(tmp_path / "first.jsonl")
    assert [node.thought for node in tree][:1] == [True]
    assert from_record(to_record(tree)) == tree


def test_labels_from_a_prefix_are_drawn_from_what_the_policy_wrote() -> None:
    session = Session(StepTree(PROBLEM), engines())
    asyncio.run(session.complete(ROOT, 1))
    again = engines()
    later = Session(from_record(to_record(session.tree)), again)
    asyncio.run(share_of(later, 1, 3))
    asked = again.generator.requests  # type: ignore[attr-defined]
    assert [prompt for prompt, _ in asked] == ["x = 3 . a add 1 .\n" + THOUGHT.removesuffix("\n\n")]


@pytest.mark.parametrize(
    ("reads", "scores", "best"),
    [
        ("thought", (0.1, 0.6, 0.6, 0.6), 0.1),
        ("answer", (1.0, 1.0, 0.9, 0.8), 0.8),
        ("both", (0.1, 0.6, 0.9, 0.8), 0.1),
    ],
)
def test_a_prm_reads_the_thought_the_answer_or_both(reads: Reads, scores: tuple[float, ...], best: float) -> None:
    table = TableScorer(SCORES)
    policy = replace(engines(), scorer=ReadingScorer(table, reads), aggregation="min")
    session = Session(StepTree(PROBLEM), policy)
    (leaf,) = asyncio.run(session.complete(ROOT, 1))
    path = session.tree.path(leaf)
    assert asyncio.run(session.score(path)) == pytest.approx(scores)
    assert session.solution_score(leaf) == pytest.approx(best)
    thoughts, answers = ["a = 3 + 2 = 5", "Wait, a = 3 + 1 = 4"], ["a = 3 + 1 = 4", "4"]
    assert table.asked == {"thought": thoughts, "answer": answers, "both": [*thoughts, *answers]}[reads]


def test_a_trace_beyond_the_prms_context_is_read_by_windows_and_wins() -> None:
    """Problem and steps have 17, 13, 19, 13 and 1 characters. A context of 62 holds all but the last one, for which
    half of the three steps, rounded down, is kept."""
    narrow = NarrowScorer(62)
    policy = replace(engines(), scorer=ReadingScorer(narrow), aggregation="min")
    session = Session(StepTree(PROBLEM), policy)
    leaf = asyncio.run(bind_strategy(StrategyConfig(name="best-of-n", options={"n": 1}))(session))
    assert session.tree.finished(leaf)
    assert session.ledger.prm_windowed == 1
    assert narrow.windows == ["a = 3 + 1 = 4 4", "a = 3 + 2 = 5 Wait, a = 3 + 1 = 4 a = 3 + 1 = 4"]
