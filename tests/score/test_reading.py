import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.generate.meter import Meter
from prmkit.score import PrmConfig, Scorer, Scores, load_scorer
from prmkit.score.ensemble import EnsembleScorer
from prmkit.score.reading import ReadingScorer, reads_of, score_readable, steps_read
from prmkit.score.transformers import TransformersScorer
from prmkit.tree import ROOT, Problem, Reads, StepTree
from tests.contracts.scorer import NODES, ScorerContract, forked
from tests.fakes import TableScorer
from tests.score.narrow import NarrowScorer, grow, path_of, value

TEN = "s0 s1 s2 s3 s4 s5 s6 s7 s8 s9"


class TestContract(ScorerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls) -> Scorer:
        return ReadingScorer(NarrowScorer(16))  # some of its problems take eleven tokens, some paths eight


def score(scorer: Scorer, tree: StepTree, nodes: Sequence[int]) -> Scores:
    return asyncio.run(scorer.score(tree, nodes))


def test_what_fits_is_handed_on_as_it_is_and_nobody_looks_whether_it_does() -> None:
    inner, tree = NarrowScorer(100), forked()
    assert score(ReadingScorer(inner), tree, NODES) == score(inner, tree, NODES)
    assert inner.asked[0][0] is tree
    assert inner.looked == 0


def test_a_long_path_is_read_by_windows_each_in_one_request() -> None:
    """Four steps of two tokens fit behind the problem, which takes one (see test_windows)."""
    inner, tree = NarrowScorer(9), path_of(TEN)
    found = score(ReadingScorer(inner), tree, range(10))
    assert inner.windows == ["s0 s1 s2 s3", "s2 s3 s4 s5", "s4 s5 s6 s7", "s6 s7 s8 s9"]
    starts = [0, 0, 0, 0, 2, 2, 4, 4, 6, 6]
    assert found.values == tuple(
        value(tree.problem, tree.steps(node)[start:]) for node, start in zip(range(10), starts, strict=True)
    )
    # Each of the four requests computed 1 + 4 x 2 tokens, and says 1 cached token and 10 FLOPs.
    assert (found.tokens, found.cached_tokens, found.flops, found.windowed) == (36, 4, 40.0, 6)


def test_of_a_long_path_that_is_known_only_what_is_asked_for_is_read() -> None:
    inner, tree = NarrowScorer(9), path_of(TEN)
    scorer = ReadingScorer(inner)
    score(scorer, tree, [9])
    assert inner.windows == ["s6 s7 s8 s9"]
    looked = inner.looked
    last = grow(tree, 9, "t")
    inner.asked.clear()
    assert score(scorer, tree, [last]).windowed == 1
    assert inner.windows == ["s8 s9 t"]
    assert inner.looked == looked + 2  # behind the window of s9, and behind half of it
    inner.asked.clear()
    assert score(scorer, tree, [0, 3]).windowed == 0
    assert inner.asked[0][0] is tree


def test_branches_share_their_windows() -> None:
    inner, tree = NarrowScorer(9), path_of("s0 s1 s2 s3")
    left, right = grow(tree, 3, "a0 a1 a2"), grow(tree, 3, "b0")
    other = tree.add(ROOT, "c0")
    found = score(ReadingScorer(inner), tree, [other, left, right, 4, 5, 3])
    assert inner.windows == ["a0 a1 a2", "c0 | s0 s1 s2 s3", "s2 s3 a0 a1 | s2 s3 b0"]
    assert found.windowed == 4
    texts = ["c0", "a0 a1 a2", "s2 s3 b0", "s2 s3 a0", "s2 s3 a0 a1", "s0 s1 s2 s3"]
    assert found.values == tuple(value(tree.problem, text.split()) for text in texts)


def test_a_step_that_does_not_fit_alone_is_refused_with_what_follows_it() -> None:
    inner, tree = NarrowScorer(4), path_of("a bbbb c")
    scorer = ReadingScorer(inner)
    assert [scorer.fits(tree, node) for node in range(3)] == [True, False, False]
    for node in (1, 2):
        with pytest.raises(InputError, match=rf"p, step {node}: a step is longer than the PRM's context, even alone"):
            score(scorer, tree, [0, node])
    readable, found = asyncio.run(score_readable(scorer, tree, range(3)))
    assert (readable, found.values) == ([0], (value(tree.problem, ["a"]),))


def test_another_error_is_raised_as_it_is() -> None:
    class Refuses(NarrowScorer):
        async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
            raise InputError("the server refuses the key")

    for scorer in (ReadingScorer(Refuses(9)), ReadingScorer(Refuses(9), "answer")):
        with pytest.raises(InputError, match="refuses the key"):
            score(scorer, path_of("a b"), [1])
        with pytest.raises(InputError, match="refuses the key"):
            score(scorer, path_of(TEN), [9])
        with pytest.raises(InputError, match="refuses the key"):
            asyncio.run(score_readable(scorer, path_of("a b"), [1]))


THINKING = "(t0) (t1) a0 a1"


@pytest.mark.parametrize(
    ("reads", "asked", "read"),
    [
        ("both", THINKING.replace("(", "").replace(")", ""), ["t0", "t0 t1", "t0 t1 a0", "t0 t1 a0 a1"]),
        ("thought", "t0 t1", ["t0", "t0 t1", "t0 t1", "t0 t1"]),
        ("answer", "a0 a1", ["", "", "a0", "a0 a1"]),
    ],
)
def test_a_scorer_sees_the_steps_that_it_reads_alone(reads: Reads, asked: str, read: list[str]) -> None:
    """A step that is not read has the score of the last read step before it; 1 where there is none."""
    inner, tree = NarrowScorer(100), path_of(THINKING)
    found = score(ReadingScorer(inner, reads), tree, range(4))
    assert inner.windows == [asked]
    assert found.values == tuple(value(tree.problem, text.split()) if text else 1.0 for text in read)
    assert found.windowed == 0


def test_a_tree_without_a_thought_is_handed_on_as_it_is_to_who_reads_answers() -> None:
    inner, tree = NarrowScorer(100), forked()
    assert score(ReadingScorer(inner, "answer"), tree, NODES) == score(inner, tree, NODES)
    assert inner.asked[0][0] is tree


def test_where_nothing_is_read_nothing_is_asked() -> None:
    inner, tree = NarrowScorer(1), path_of("(t0) (t1)")
    scorer = ReadingScorer(inner, "answer")
    assert score(scorer, tree, [0, 1]) == Scores(values=(1.0, 1.0), cached_tokens=0, tokens=0, flops=0.0)
    assert (inner.asked, inner.looked) == ([], 0)
    assert scorer.fits(tree, 1)
    assert list(scorer.steps_read(tree, 1)) == []


def test_windows_are_of_the_steps_that_are_read() -> None:
    """Two answer steps fit; between them stand thoughts, which take no room."""
    inner, tree = NarrowScorer(5), path_of("(t0) a0 (t1) a1 (t2) a2 (t3)")
    found = score(ReadingScorer(inner, "answer"), tree, [6, 1, 3, 5])
    assert inner.windows == ["a0 a1", "a1 a2"]
    read = ["a1 a2", "a0", "a0 a1", "a1 a2"]
    assert found.values == tuple(value(tree.problem, text.split()) for text in read)
    assert found.windowed == 1


@st.composite
def trees(draw: st.DrawFn) -> StepTree:
    tree = StepTree(Problem(id="p", prompt="?"))
    for number in range(draw(st.integers(1, 14))):
        text = f"{chr(97 + number)}" * draw(st.integers(1, 5))
        tree.add(draw(st.integers(max(ROOT, number - 3), number - 1)), text, thought=draw(st.booleans()))
    return tree


@given(trees(), st.sampled_from(get_args(Reads)), st.integers(2, 14), st.data())
def test_a_score_does_not_depend_on_what_else_is_asked_or_was(
    tree: StepTree, reads: Reads, context: int, data: st.DataObject
) -> None:
    scorer = ReadingScorer(NarrowScorer(context), reads)
    nodes = st.integers(0, len(tree) - 1)
    for asked in data.draw(st.lists(st.lists(nodes, min_size=1), max_size=4)):
        readable, found = asyncio.run(score_readable(scorer, tree, asked))
        assert readable == [node for node in asked if ReadingScorer(NarrowScorer(context), reads).fits(tree, node)]
        cut = set()
        for node, score_ in zip(readable, found.values, strict=True):
            steps = ReadingScorer(NarrowScorer(context), reads).steps_read(tree, node)
            assert list(scorer.steps_read(tree, node)) == list(steps)
            assert score_ == (value(tree.problem, [tree.nodes[step].text for step in steps]) if steps else 1.0)
            if len(steps) < len(tree.read_path(node, reads)):
                cut.add(steps[-1])
        assert found.windowed == len(cut)


def test_members_of_an_ensemble_have_windows_of_their_own() -> None:
    """Of four steps the first member reads two at a time, the other all."""
    narrow, wide, tree = NarrowScorer(5), NarrowScorer(100), path_of("s0 s1 s2 s3")
    scorer = ReadingScorer(EnsembleScorer([ReadingScorer(narrow), ReadingScorer(wide)], consensus="mean"))
    found = score(scorer, tree, [3])
    assert (narrow.windows, wide.windows) == (["s2 s3"], ["s0 s1 s2 s3"])
    assert found.windowed == 1
    both = value(tree.problem, ["s2", "s3"]), value(tree.problem, tree.steps(3))
    assert found.values == (sum(both) / 2,)


def test_the_meter_is_that_of_the_scorer() -> None:
    inner = NarrowScorer(5)
    assert ReadingScorer(inner).meter is None
    inner.meter = Meter()  # type: ignore[attr-defined]
    assert ReadingScorer(inner).meter is inner.meter  # type: ignore[attr-defined]


def test_who_was_not_told_reads_all() -> None:
    told, not_told, tree = ReadingScorer(NarrowScorer(5), "answer"), TableScorer({}), path_of("(t0) a0 a1 a2")
    assert (reads_of(told), reads_of(not_told)) == ("answer", "both")
    assert list(steps_read(told, tree, 3)) == [2, 3]
    assert steps_read(not_told, tree, 3) == [0, 1, 2, 3]


def test_a_prm_reads_a_window_as_the_same_steps_alone_and_computes_each_token_of_it_once(prm_folder: Path) -> None:
    scorer, other = (load_scorer(PrmConfig(checkpoint=str(prm_folder)))[0] for _ in range(2))
    assert isinstance(scorer.scorer, TransformersScorer)
    scorer.scorer.context = 40
    tree = path_of(" ".join(f"step{number}" for number in range(12)))
    lengths = [len(scorer.scorer.encoder.step_ids(node.text)) for node in tree]
    problem = len(scorer.scorer.encoder.problem_ids(tree.problem))
    by_step = [asyncio.run(_scored(scorer, tree, node)) for node in range(12)]
    windows = [list(scorer.steps_read(tree, node)) for node in range(12)]
    assert sum(one.windowed for one in by_step) == sum(steps[0] > 0 for steps in windows) > 0
    for node, steps in enumerate(windows):
        alone = StepTree.from_steps(tree.problem, [tree.nodes[step].text for step in steps])
        assert by_step[node].values == pytest.approx(score(other, alone, [len(steps) - 1]).values, abs=1e-5)
        same = node and windows[node][0] == windows[node - 1][0]
        if same:  # a step that joins a window costs its own tokens
            assert by_step[node].tokens == lengths[node]
        else:
            assert by_step[node].tokens <= problem + sum(lengths[step] for step in steps)


async def _scored(scorer: Scorer, tree: StepTree, node: int) -> Scores:
    return await scorer.score(tree, [node])
