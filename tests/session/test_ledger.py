import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.session.ledger import Ledger, Width, total


def test_ledgers_add_up_field_by_field() -> None:
    summed = total([Ledger(generations=2, prm_seconds=0.5), Ledger(generations=3, prm_seconds=0.25, replayed=1)])
    assert summed == Ledger(generations=5, prm_seconds=0.75, replayed=1)
    assert summed.as_dict()["generations"] == 5


def test_totals_are_of_both_engines() -> None:
    ledger = Ledger(
        prefill_tokens=1, decode_tokens=2, prm_tokens=4, cached_tokens=8, generator_flops=1.0, prm_flops=2.0
    )
    assert (ledger.total_tokens, ledger.flops) == (7, 3.0)


def test_n_samples_and_n_beams_are_n_generations() -> None:
    samples, beams = Width(), Width()
    samples.draw(0, 8, whole=True)
    for depth in range(5):
        beams.draw(depth, 8, whole=False)
    assert (samples.value, beams.value) == (8, 8)


def test_rollouts_from_deep_inside_count_where_they_draw() -> None:
    # Depth 1: 4; depth 2: 4 and a rollout from depth 1; depth 3 on: both rollouts.
    width = Width()
    width.draw(0, 4, whole=False)
    width.draw(1, 1, whole=True)
    width.draw(1, 4, whole=False)
    width.draw(2, 1, whole=True)
    assert width.value == 5
    assert width.room(1, 8, whole=False) == 3
    assert width.room(5, 8, whole=True) == 6
    assert width.room(0, 8, whole=True) == 3


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 9), st.booleans()), max_size=30))
def test_the_width_is_the_most_draws_at_any_depth(draws: list[tuple[int, int, bool]]) -> None:
    width = Width()
    for depth, n, whole in draws:
        width.draw(depth, n, whole=whole)
    at = [sum(n for d, n, whole in draws if d == depth or (whole and d < depth)) for depth in range(10)]
    assert width.value == max(at)
    for depth in range(8):
        assert width.room(depth, 300, whole=False) == max(0, 300 - at[depth])
        assert width.room(depth, 300, whole=True) == max(0, 300 - max(at[depth:]))


@pytest.mark.parametrize("whole", [True, False])
def test_there_is_never_less_than_no_room(whole: bool) -> None:
    width = Width()
    width.draw(0, 5, whole=True)
    assert width.room(0, 3, whole=whole) == 0


def test_steps_read_in_a_window_add_up_and_are_no_tokens() -> None:
    summed = total([Ledger(prm_tokens=4, prm_windowed=2), Ledger(prm_windowed=3)])
    assert (summed.prm_windowed, summed.total_tokens) == (5, 4)
