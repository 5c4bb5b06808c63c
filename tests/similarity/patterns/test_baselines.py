import numpy as np
import torch
from transformers import PreTrainedModel

from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.patterns.baselines import baseline_kernels, hidden_states, ngram_counts
from prmkit.similarity.response import Response
from tests.similarity.conftest import response


def test_hidden_states_are_averaged_over_the_response(model: PreTrainedModel, responses: list[Response]) -> None:
    found = hidden_states(model, responses, 1000)
    for row, one in enumerate(responses):
        with torch.no_grad():
            states = model.model(input_ids=torch.tensor([one.ids])).last_hidden_state[0]
        np.testing.assert_allclose(found[row], states[2:].mean(dim=0).double().numpy(), atol=1e-5)


def test_ngrams_of_the_response_are_counted_and_the_prompt_is_not() -> None:
    # Runs of 7 8 7: three single tokens, two pairs, one triple.
    one, other, apart = ngram_counts([response(1, 2, 7, 8, 7), response(3, 4, 7, 8, 7), response(1, 2, 9)])
    assert sorted(one[one > 0]) == [1.0, 1.0, 1.0, 1.0, 2.0]
    np.testing.assert_array_equal(one, other)
    assert one @ apart == 0.0


def test_gradients_without_weights_are_engines_of_their_own(model: PreTrainedModel, responses: list[Response]) -> None:
    sets = {"some": responses[:3], "all": responses}
    found = baseline_kernels(model, sets, SimilarityConfig(), ["gradient", "signed_gradient", "hidden", "ngram"])
    assert list(found) == ["|gradient|", "gradient", "hidden states", "n-grams"]
    rows = [model(input_ids=torch.tensor([one.ids])).logits[0, -1].max() for one in responses]
    matrices = [p for name, p in model.named_parameters() if ".layers." in name and p.ndim == 2]
    grads = [torch.cat([g.flatten() for g in torch.autograd.grad(row, matrices)]).double().numpy() for row in rows]
    unit = np.array([grad / np.linalg.norm(grad) for grad in grads])
    np.testing.assert_allclose(found["gradient"], unit @ unit.T, atol=1e-5)
    np.testing.assert_allclose(found["|gradient|"], np.abs(unit) @ np.abs(unit).T, atol=1e-5)
