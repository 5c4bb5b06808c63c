import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.sources.sample import SampleConfig, Trees, Unit, held_out, mix, sample, size_of, wording
from prmkit.tree import StepTree
from tests.tiny import path_tree


def corpus(problems: int, each: int = 2, name: str = "p") -> list[StepTree]:
    """Trees of two labelled steps, ``each`` of a problem."""
    return [path_tree(f"{name}{n}", [("a", 1.0), ("b", 0.0)]) for n in range(problems) for _ in range(each)]


def drawn(trees: list[StepTree], size: int, unit: Unit = "trees", seed: int = 0) -> list[StepTree]:
    return list(sample(lambda: trees, SampleConfig(size=size, unit=unit), seed))


def prompts(trees: list[StepTree]) -> set[str]:
    return {tree.problem.prompt for tree in trees}


def test_a_tree_counts_by_its_unit() -> None:
    tree = path_tree("p", [("a", 1.0), ("b", None)])
    tree.add(0, "c")
    units: tuple[Unit, ...] = ("trees", "solutions", "labels")
    assert [size_of(tree, unit) for unit in units] == [1, 2, 1]


@given(size=st.integers(1, 30), seed=st.integers(0, 5))
def test_a_sample_has_the_size_asked_for_and_holds_whole_problems_but_one(size: int, seed: int) -> None:
    trees = corpus(10)
    found = drawn(trees, size, seed=seed)
    assert len(found) == min(size, 20)
    assert len(prompts(found)) == -(-min(size, 20) // 2)
    order = [tree.problem.prompt for tree in found]
    assert order == [tree.problem.prompt for tree in trees if tree.problem.prompt in order][: len(order)] or size % 2


def test_a_larger_sample_holds_the_problems_of_a_smaller_one_and_another_seed_others() -> None:
    trees = corpus(50)
    small, large = drawn(trees, 20), drawn(trees, 60)
    assert prompts(small) < prompts(large)
    assert prompts(drawn(trees, 20, seed=1)) != prompts(small)
    assert drawn(trees, 20) == small


def test_the_order_of_the_corpus_does_not_matter() -> None:
    trees = corpus(30)
    assert prompts(drawn(trees, 20)) == prompts(drawn(trees[::-1], 20))


def test_labels_are_never_more_than_asked_for() -> None:
    assert sum(size_of(tree, "labels") for tree in drawn(corpus(20), 7, "labels")) == 6


def test_no_problem_is_on_both_sides_of_a_split() -> None:
    trees = corpus(400, each=3)
    sides = [{t.problem.prompt for t in trees if held_out(t, 0.25, seed=3) == side} for side in (True, False)]
    assert not sides[0] & sides[1]
    # 100 expected, with a standard deviation of 8.7.
    assert 65 <= len(sides[0]) <= 135
    assert not any(held_out(tree, 0.0, seed=3) for tree in trees)


def test_draws_and_splits_stay_what_they_were() -> None:
    trees = corpus(30, each=1)
    assert prompts(drawn(trees, 8, seed=5)) == {"p4", "p9", "p11", "p13", "p14", "p17", "p19", "p29"}
    assert {n for n, tree in enumerate(trees) if held_out(tree, 0.25, seed=3)} == {
        3, 4, 5, 7, 11, 16, 18, 23, 25, 27, 28, 29
    }  # fmt: skip


def test_spaces_do_not_make_another_problem() -> None:
    assert wording(" 1 +\n 1? ") == wording("1 + 1?")


def test_a_mix_holds_each_corpus_in_proportion() -> None:
    one, other = corpus(40, name="one"), corpus(40, name="other")
    found = list(mix([(lambda: one, 3.0), (lambda: other, 1.0)], SampleConfig(size=40, unit="trees"), 0))
    kinds = [tree.problem.prompt.startswith("one") for tree in found]
    assert (kinds.count(True), kinds.count(False)) == (30, 10)
    assert kinds != sorted(kinds)
    assert found == list(mix([(lambda: one, 3.0), (lambda: other, 1.0)], SampleConfig(size=40, unit="trees"), 0))


def test_a_mix_of_too_little_or_of_nothing_is_refused() -> None:
    one, other = corpus(40), corpus(2)
    with pytest.raises(InputError, match="corpus 2 holds less than its share, got '4 trees'; expected at least 20"):
        list(mix([(lambda: one, 1.0), (lambda: other, 1.0)], SampleConfig(size=40, unit="trees"), 0))
    with pytest.raises(InputError, match="illegal weights"):
        list(mix([(lambda: one, 0.0)], SampleConfig(), 0))


def test_a_sample_reads_its_corpus_twice_and_so_does_a_mix() -> None:
    read = {"one": 0, "other": 0}

    def trees(name: str) -> list[StepTree]:
        read[name] += 1
        return corpus(20, name=name)

    assert len(list(sample(lambda: trees("one"), SampleConfig(size=10, unit="trees"), 0))) == 10
    assert read == {"one": 2, "other": 0}
    parts: list[tuple[Trees, float]] = [(lambda: trees("one"), 1.0), (lambda: trees("other"), 1.0)]
    assert len(list(mix(parts, SampleConfig(size=10, unit="trees"), 0))) == 10
    assert read == {"one": 4, "other": 2}


@pytest.mark.parametrize("later", [9, 11])
def test_a_corpus_that_changes_while_it_is_read_is_refused(later: int) -> None:
    readings = iter([corpus(10, each=1), corpus(later, each=1)])
    with pytest.raises(InputError, match="the corpus has changed while it was read; expected 10 trees again"):
        list(sample(lambda: next(readings), SampleConfig(size=100, unit="trees"), 0))


def test_a_tree_without_a_label_is_no_part_of_a_sample_of_labels() -> None:
    trees = [path_tree("p", [("a", 1.0)]), path_tree("p", [("b", None)]), path_tree("q", [])]
    assert drawn(trees, 10, "labels") == trees[:1]
    assert drawn([], 10, "labels") == []


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=20), st.integers(1, 30), st.integers(0, 3))
def test_a_sample_is_what_its_definition_says(shape: list[tuple[int, int]], size: int, seed: int) -> None:
    trees = [path_tree(f"p{problem}", [("a", 1.0)] * labels) for problem, labels in shape]

    def lots(prompt: str) -> int:
        """What orders the problems, told from a sample of one label of two problems."""
        alone = [path_tree(f"p{problem}", [("a", 1.0)]) for problem in range(5)]
        order = [drawn(alone, size, "labels", seed) for size in range(1, 6)]
        return [prompt in prompts(found) for found in order].index(True)

    left, expected = size, []
    for prompt in sorted(prompts(trees), key=lots):
        own = [index for index, tree in enumerate(trees) if tree.problem.prompt == prompt]
        room = min(left, sum(len(trees[index]) for index in own))
        left -= room
        for index in own:
            if 0 < len(trees[index]) <= room:
                room -= len(trees[index])
                expected.append(index)
    assert drawn(trees, size, "labels", seed) == [trees[index] for index in sorted(expected)]
