import math
import random

import pytest

from prmkit.search.particle_filtering import logit, particle_filtering, resample, softmax
from tests.search.world import World, run, world_session


def test_weights_by_hand() -> None:
    assert logit(0.8) == pytest.approx(math.log(4), abs=1e-12)
    assert logit(1.0) == pytest.approx(math.log((1 - 1e-7) / 1e-7), abs=1e-6)
    # exp(logit) are the odds: 4 and 1/4, so 16/17 and 1/17.
    assert softmax([logit(0.8), logit(0.2)]) == pytest.approx([16 / 17, 1 / 17], abs=1e-12)


def test_systematic_resampling_by_hand() -> None:
    class Half(random.Random):
        def random(self) -> float:
            return 0.5

    # Places 1/8, 3/8, 5/8, 7/8 of the cumulative 0.5, 0.8, 1.
    assert resample([0.5, 0.3, 0.2], 4, Half(), "systematic") == [0, 0, 1, 2]


def test_multinomial_resampling_is_fair() -> None:
    drawn = resample([0.25, 0.75], 4000, random.Random(1), "multinomial")
    assert drawn == sorted(drawn)
    assert 0.7 < sum(drawn) / 4000 < 0.8


def test_particles_follow_the_weights_and_finished_ones_stay() -> None:
    # b has odds of 10^7 against a: all four particles go on from b. There c ends; d's odds are 1 to 10^7 against it.
    world = World({"": "a b", "b": "c! d"})
    session = world_session(world, {"a": 0.0, "b": 1.0, "c": 1.0, "d": 0.0})
    assert run(session, lambda session: particle_filtering(session, n=4)) == "b c"
    # Particles 1 and 3 of the first step both wrote b; they are two nodes, and n = 4 samples in all.
    assert [(path, kind) for path, _, kind in world.asked] == [("", "step"), ("b", "step"), ("b", "step")]
    assert sum(n for _, n, _ in world.asked[1:]) == 4


def test_repeats_are_independent_filters() -> None:
    world = World({"": "a! b!"})
    session = world_session(world, {"a": 0.5, "b": 0.6})
    assert run(session, lambda session: particle_filtering(session, n=4, repeats=2)) == "b"
    assert world.asked == [("", 2, "step"), ("", 2, "step")]
    assert session.parts() == [[0, 1], [2, 3]]


def test_particles_that_are_cut_are_not_resampled() -> None:
    assert run(world_session(World({"": "a~ a~"}), {}), lambda session: particle_filtering(session, n=2)) is None
    assert run(world_session(World({"": "a~ b!"}), {"b": 0.1}), lambda s: particle_filtering(s, n=2)) == "b"
