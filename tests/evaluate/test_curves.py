import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest

from prmkit.evaluate import curves as module
from prmkit.evaluate.curves import _leading, curves, majority_by_draws
from prmkit.evaluate.selection import Samples, maj_at_k, pass_at_k, prm_at_k
from prmkit.run.activity import Activity, watching


def samples(n: int, seed: int = 0) -> Samples:
    rng = random.Random(seed)
    classes = tuple(rng.choice([0, 0, 1, 2, None]) for _ in range(n))
    return Samples(
        problem_id=f"p{seed}",
        scores=tuple(rng.random() for _ in range(n)),
        classes=classes,
        correct=tuple(label == 0 for label in classes),
    )


def test_every_k_is_exact_for_few_samples() -> None:
    problems = [samples(6), samples(6, 1)]
    found = curves(problems, scored=True).as_json()
    assert found["k"] == [1, 2, 3, 4, 5, 6]
    for index, k in enumerate(found["k"]):
        for rule, exact in (
            ("pass", [pass_at_k(one.correct, k) for one in problems]),
            ("maj", [maj_at_k(one.classes, one.correct, k) for one in problems]),
            ("prm", [prm_at_k(one.scores, one.correct, k) for one in problems]),
        ):
            assert found[rule][index]["value"] == pytest.approx(sum(exact) / 2)
    assert found["maj_monte_carlo_stderr"] == []
    assert curves(problems, scored=False).prm == []


def test_draws_agree_with_the_exact_value_within_their_stated_error() -> None:
    one = samples(24, 3)
    values, errors = majority_by_draws(one, 24)
    assert (values, errors) == (pytest.approx(majority_by_draws(one, 24)[0]), pytest.approx(errors))  # reproducible
    for k in range(1, 25):
        assert abs(values[k - 1] - maj_at_k(one.classes, one.correct, k)) <= 5 * errors[k - 1] + 1e-9
    assert errors[23] < 1e-9  # all samples: nothing is left to chance


def test_a_draw_counts_its_votes_as_they_come() -> None:
    # Orders 0 0 1 and 1 2 0, and one that begins in silence; class 0 is right in half of its samples.
    drawn = np.array([[0, 0, 1], [1, 2, 0], [-1, 1, 1]])
    accuracy = np.array([0.5, 1.0, 0.0])
    assert _leading(drawn, accuracy).tolist() == [[0.5, 0.5, 0.5], [1.0, 0.5, 0.5], [0.0, 1.0, 1.0]]


def test_samples_at_every_k_say_how_far_they_are() -> None:
    shares: list[float | None] = []

    @contextmanager
    def watch(activity: Activity) -> Iterator[None]:
        yield
        shares.append(activity.share)

    with watching(watch):
        curves([samples(40), samples(3)], scored=True)
    assert shares == [1.0]


def test_many_samples_are_exact_at_powers_of_two_and_say_what_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EXACT_UP_TO", 4)
    one = samples(7, 2)
    found = curves([one], scored=False).as_json()
    exact = [k for k, error in zip(found["k"], found["maj_monte_carlo_stderr"], strict=True) if error == 0]
    assert set(exact) >= {1, 2, 4, 7}
    assert found["maj"][3]["value"] == pytest.approx(maj_at_k(one.classes, one.correct, 4))


def test_a_problem_with_fewer_samples_counts_as_far_as_it_goes_also_where_votes_are_drawn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    short, long = samples(3, 1), samples(6, 4)
    for exact_up_to in (32, 4):
        monkeypatch.setattr(module, "EXACT_UP_TO", exact_up_to)
        found = curves([short, long], scored=True)
        assert [each.n for each in found.maj] == [each.n for each in found.pass_] == [2, 2, 2, 1, 1, 1]
        both = (maj_at_k(short.classes, short.correct, 2) + maj_at_k(long.classes, long.correct, 2)) / 2
        assert found.maj[1].value == pytest.approx(both)
        assert found.prm[5].value == pytest.approx(prm_at_k(long.scores, long.correct, 6))
        # At 5, which is drawn, the error of the one problem that has so many.
        assert found.maj[4].value == pytest.approx(maj_at_k(long.classes, long.correct, 5), abs=0.1)


def test_no_vote_is_never_right() -> None:
    silent = Samples(problem_id="p", scores=(0.0, 0.0), classes=(None, None), correct=(False, False))
    assert majority_by_draws(silent, 2)[0].tolist() == [0, 0]
