from dataclasses import replace

import numpy as np
import pytest
import torch

from prmkit.attribution import Attribution, first_bad_step
from prmkit.attribution.explain import MOST_DELTA, attribute
from prmkit.errors import InputError, RunError
from prmkit.models.checkpoint import LoadedPRM
from tests.attribution.conftest import PROBLEM, STEPS


@pytest.fixture(scope="module")
def found(loaded: LoadedPRM) -> Attribution:
    return attribute(loaded, PROBLEM, STEPS, step=2)


def logits(loaded: LoadedPRM, neutral: tuple[int, ...] = ()) -> list[float]:
    """Of the scores, with these steps made neutral."""
    ids, ends = loaded.encoder.path_ids(PROBLEM, STEPS)
    starts = [len(loaded.encoder.problem_ids(PROBLEM)), *(end + 1 for end in ends[:-1])]
    for step in neutral:
        ids[starts[step] : ends[step] + 1] = loaded.encoder.step_end_ids * (ends[step] + 1 - starts[step])
    row = torch.tensor([ids])
    with torch.no_grad():
        return loaded.prm(row, torch.ones_like(row), torch.tensor([ends]))[0].tolist()  # type: ignore[no-any-return]


def test_ablation_is_the_fall_of_the_logit_without_the_step(loaded: LoadedPRM, found: Attribution) -> None:
    ablation = found.by_step[0]
    whole = logits(loaded)
    for step in range(3):
        without = logits(loaded, (step,))
        for score in range(step, 3):
            assert ablation.matrix[step][score] == pytest.approx(whole[score] - without[score], abs=1e-5)


def test_a_step_says_nothing_about_scores_before_it(found: Attribution) -> None:
    for influence in found.by_step:
        np.testing.assert_array_equal(np.tril(influence.array(), -1), 0.0)


def test_shapley_values_add_up_and_two_steps_share_what_they_do_together(loaded: LoadedPRM, found: Attribution) -> None:
    shapley = found.by_step[1]
    assert shapley.gap < 1e-4
    whole, nothing = logits(loaded), logits(loaded, (0, 1, 2))
    np.testing.assert_allclose(shapley.change, np.subtract(whole, nothing), atol=1e-5)
    # Score 1 has read two steps, so two orders: the mean of both, if each is drawn often enough.
    exact = ((whole[1] - logits(loaded, (0,))[1]) + (logits(loaded, (1,))[1] - nothing[1])) / 2
    many = attribute(loaded, PROBLEM, STEPS, samples=400, seed=1).by_step[1].matrix[0][1]
    orders = abs((whole[1] - logits(loaded, (0,))[1]) - (logits(loaded, (1,))[1] - nothing[1]))
    assert many == pytest.approx(exact, abs=4 * orders / 2 / 20 + 1e-4)


def test_token_attributions_add_up_to_what_they_explain(found: Attribution) -> None:
    gradients, taylor = found.by_token
    assert gradients.change is not None
    assert gradients.delta is not None
    assert sum(gradients.values) == pytest.approx(gradients.change + gradients.delta, abs=1e-4)
    assert gradients.relative_delta is not None
    assert gradients.relative_delta < MOST_DELTA
    assert (taylor.change, taylor.delta, taylor.relative_delta) == (None, None, None)
    assert len(gradients.values) == len(found.tokens) == len(found.step_of)


def test_tokens_after_the_explained_step_have_no_part_in_it(loaded: LoadedPRM) -> None:
    early = attribute(loaded, PROBLEM, STEPS, step=0)
    for one in early.by_token:
        later = [value for value, step in zip(one.values, early.step_of, strict=True) if step > 0]
        assert later
        assert max(map(abs, later)) == 0.0


def test_gradient_times_embedding_is_what_autograd_gives(loaded: LoadedPRM, found: Attribution) -> None:
    ids, ends = loaded.encoder.path_ids(PROBLEM, STEPS)
    embedded = loaded.prm.model.get_input_embeddings()(torch.tensor([ids])).detach().requires_grad_(True)
    states = loaded.prm.model(inputs_embeds=embedded).last_hidden_state
    (gradient,) = torch.autograd.grad(loaded.prm.score(states[0, ends[2]]).sum(), embedded)
    expected = (gradient * embedded).sum(dim=-1)[0]
    np.testing.assert_allclose(found.by_token[1].values, expected.detach().numpy(), atol=1e-5)


def test_the_same_seed_gives_the_same_and_no_other_randomness_moves(loaded: LoadedPRM, found: Attribution) -> None:
    before = torch.random.get_rng_state()
    assert attribute(loaded, PROBLEM, STEPS, step=2) == found
    assert torch.equal(torch.random.get_rng_state(), before)


def test_by_default_the_first_bad_score_is_explained(loaded: LoadedPRM) -> None:
    one = attribute(loaded, PROBLEM, STEPS)
    assert one.explained == first_bad_step(one.scores)
    assert first_bad_step([0.9, 0.4, 0.1]) == 1
    assert first_bad_step([0.9, 0.6, 0.7]) == 1


def test_what_cannot_be_explained_is_named(loaded: LoadedPRM, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="p: no step to explain"):
        attribute(loaded, PROBLEM, [])
    with pytest.raises(InputError, match="p: no such step, got 3; expected 0 to 2"):
        attribute(loaded, PROBLEM, STEPS, step=3)
    with pytest.raises(InputError, match="longer than the PRM's context"):
        attribute(loaded, replace(PROBLEM, prompt="1 " * 300), STEPS)
    monkeypatch.setattr("prmkit.attribution.explain.MOST_DELTA", 0.0)
    monkeypatch.setattr("prmkit.attribution.explain._MOST_STEPS", 64)
    with pytest.raises(RunError, match=r"do not converge: .* is left unexplained at 64 points"):
        attribute(loaded, PROBLEM, STEPS)
