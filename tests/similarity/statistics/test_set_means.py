import numpy as np
import pytest

from prmkit.errors import InputError
from prmkit.similarity.statistics.measure import cosines
from prmkit.similarity.statistics.set_means import SetMeans
from tests.similarity.grams import gram_of, set_score


def both(sets: dict[str, tuple[int, ...]], problems: list[str] | None = None) -> tuple[SetMeans, object]:
    """Random patterns as sums of cosines, and as a Gram."""
    patterns = np.random.default_rng(0).random((8, 6)) ** 2
    gram = gram_of(patterns.tolist(), sets, problems)
    cosine_NN = cosines(gram)
    norms = np.linalg.norm(patterns, axis=1)
    means = SetMeans(
        sums=np.stack([cosine_NN[:, list(rows)].sum(axis=1) for rows in sets.values()], axis=1),
        flatness=(patterns.sum(axis=1) / norms / np.sqrt(6))[None],
        problem_ids=gram.problem_ids,
        sets=sets,
        origin={},
    )
    return means, gram


def test_without_a_shared_problem_all_is_that_of_the_gram() -> None:
    means, gram = both({"one": (0, 1, 2, 3, 4), "two": (5, 6, 7)}, list("aabbcddf"))
    found, expected = means.score("one", "two"), set_score(gram, "one", "two")  # type: ignore[arg-type]
    assert (found.mean, found.sum, found.pairs) == (
        pytest.approx(expected.mean),
        pytest.approx(expected.sum),
        expected.pairs,
    )
    assert found.chance == pytest.approx(expected.chance)
    assert found.stderr == pytest.approx(expected.stderr)
    assert found.centred is None


def test_a_set_with_itself_and_with_a_part_of_it_leaves_out_the_diagonal() -> None:
    means, gram = both({"all": tuple(range(8)), "part": (1, 4, 6)})
    for pair in (("all", "all"), ("all", "part"), ("part", "part")):
        found, expected = means.score(*pair), set_score(gram, *pair)  # type: ignore[arg-type]
        assert (found.mean, found.pairs) == (pytest.approx(expected.mean), expected.pairs)
        assert found.chance == pytest.approx(expected.chance)
        # A problem of one response has no pair within it, so nothing is taken for granted.
        assert found.stderr == pytest.approx(expected.stderr)


def test_pairs_within_a_problem_are_taken_to_be_like_the_others() -> None:
    means, gram = both({"all": tuple(range(8))}, list("aabbccdd"))
    expected = set_score(gram, "all", "all")  # type: ignore[arg-type]
    assert means.score("all", "all").stderr == pytest.approx(expected.stderr, rel=0.3)


def test_names_and_pairs_that_are_not_there() -> None:
    means, _ = both({"one": (0,), "two": (1, 2)})
    assert [(row.first, row.second) for row in means.table()] == [("one", "two"), ("two", "two")]
    with pytest.raises(InputError, match="no pair of different responses"):
        means.score("one", "one")
    with pytest.raises(InputError, match="no such set of responses, got 'three'"):
        means.score("one", "three")
