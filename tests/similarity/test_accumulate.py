import numpy as np
import pytest
import torch
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.similarity import similarity
from prmkit.similarity.accumulate import raw_gram
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.parameters import chosen_parameters
from prmkit.similarity.patterns import activation_pattern
from prmkit.similarity.response import Response
from prmkit.similarity.scores import cosines


def test_the_gram_holds_the_dots_of_the_whole_patterns(model: PreTrainedModel, responses: list[Response]) -> None:
    config = SimilarityConfig()
    chosen = chosen_parameters(model, config)
    gram = similarity(model, {"all": responses}, config)
    patterns = [activation_pattern(model, one, chosen, config) for one in responses]
    for row, layer in enumerate(gram.layers):
        held_NP = torch.stack([pattern.layers[layer] for pattern in patterns]).double()
        np.testing.assert_allclose(gram.grams[row], (held_NP @ held_NP.T).numpy(), rtol=1e-12)
        np.testing.assert_allclose(gram.l1[row], held_NP.sum(dim=1).numpy(), rtol=1e-12)
    assert gram.predicted_tokens == tuple(pattern.predicted_token for pattern in patterns)


def test_cosines_are_of_a_scalar_product(model: PreTrainedModel, responses: list[Response]) -> None:
    cosine_NN = cosines(similarity(model, {"all": responses}, SimilarityConfig()))
    np.testing.assert_allclose(np.diag(cosine_NN), 1.0)
    np.testing.assert_allclose(cosine_NN, cosine_NN.T)
    assert ((cosine_NN >= 0) & (cosine_NN <= 1 + 1e-12)).all()
    assert np.linalg.eigvalsh(cosine_NN).min() > -1e-9


def test_less_memory_means_more_passes_and_the_same_gram(model: PreTrainedModel, responses: list[Response]) -> None:
    whole = similarity(model, {"all": responses}, SimilarityConfig())
    one_layer = 4 * len(responses) * max(whole.sizes) / 2**30
    tight = similarity(model, {"all": responses}, SimilarityConfig(memory_gib=one_layer * 1.01))
    np.testing.assert_array_equal(tight.grams, whole.grams)
    with pytest.raises(InputError, match="the patterns of layer 0 do not fit in memory"):
        similarity(model, {"all": responses}, SimilarityConfig(memory_gib=one_layer * 0.99))


def test_a_response_of_two_sets_has_one_row_and_a_copy_has_its_own(
    model: PreTrainedModel, responses: list[Response]
) -> None:
    gram = similarity(model, {"all": responses, "chosen": responses[1:2]}, SimilarityConfig())
    assert gram.sets == {"all": (0, 1, 2, 3), "chosen": (1,)}
    twice = similarity(model, {"all": [responses[0], responses[0]]}, SimilarityConfig())
    assert twice.sets == {"all": (0, 1)}
    assert cosines(twice)[0, 1] == pytest.approx(1.0)


def test_the_order_of_the_responses_permutes_the_gram(model: PreTrainedModel, responses: list[Response]) -> None:
    forward = cosines(similarity(model, {"all": responses}, SimilarityConfig()))
    backward = cosines(similarity(model, {"all": responses[::-1]}, SimilarityConfig()))
    np.testing.assert_allclose(backward, forward[::-1, ::-1])


def test_long_sums_lose_nothing() -> None:
    patterns_NP = torch.full((2, 200_000), 0.1)
    exact = 200_000 * float(torch.tensor(0.1)) ** 2
    np.testing.assert_allclose(raw_gram(patterns_NP).numpy(), exact, rtol=1e-12)


def test_a_set_without_responses_is_named(model: PreTrainedModel) -> None:
    with pytest.raises(InputError, match="math: empty set of responses"):
        similarity(model, {"math": []}, SimilarityConfig())
    with pytest.raises(InputError, match="no set of responses"):
        similarity(model, {}, SimilarityConfig())
