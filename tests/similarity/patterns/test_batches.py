from collections.abc import Sequence

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.models.prm import PRM
from prmkit.similarity.config import Engine, SimilarityConfig
from prmkit.similarity.patterns.batches import ResponseBatch, batched, content_ids, embedding, reading_order
from prmkit.similarity.patterns.engine import compare
from prmkit.similarity.patterns.parameters import backbone
from prmkit.similarity.response import Response
from tests.similarity.conftest import family, response

END = 1


def of_length(*lengths: int) -> list[Response]:
    return [response(*[4] * length, problem=str(number)) for number, length in enumerate(lengths)]


def shapes(batches: Sequence[ResponseBatch]) -> list[tuple[int, int]]:
    return [(batch.ids_BT.shape[0], batch.ids_BT.shape[1]) for batch in batches]


def test_a_batch_is_what_was_given_padded_on_the_right(model: PreTrainedModel) -> None:
    given = [
        response(4, 5, 6, 7, problem="a", prompt=1, ends=(2, 3)),
        response(8, 9, 10, problem="b", prompt=2),
    ]
    (batch,) = batched(model, given, 100)
    assert batch.ids_BT[0].tolist() == [4, 5, 6, 7]
    assert batch.ids_BT[1, :3].tolist() == [8, 9, 10]
    assert batch.mask_BT.tolist() == [[1, 1, 1, 1], [1, 1, 1, 0]]
    assert (batch.lengths, batch.prompt_lengths, batch.ends) == ((4, 3), (1, 2), ((2, 3), ()))
    assert (batch.problem_ids, len(batch)) == (("a", "b"), 2)
    assert (batch.ids_BT.dtype, batch.mask_BT.dtype) == (torch.long, torch.long)


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (100, [(4, 6)]),
        (23, [(3, 6), (1, 3)]),  # a fourth row would make 24, with its padding
        (12, [(2, 6), (2, 4)]),
        (11, [(1, 6), (2, 5), (1, 3)]),
        (6, [(1, 6), (1, 5), (1, 4), (1, 3)]),
        (1, [(1, 6), (1, 5), (1, 4), (1, 3)]),  # a response is never cut
    ],
)
def test_batches_are_as_large_as_the_tokens_allow(
    model: PreTrainedModel, tokens: int, expected: list[tuple[int, int]]
) -> None:
    assert shapes(batched(model, of_length(6, 5, 4, 3), tokens)) == expected


def test_a_longer_response_that_comes_late_counts_for_those_before_it(model: PreTrainedModel) -> None:
    assert shapes(batched(model, of_length(3, 3, 6), 12)) == [(2, 3), (1, 6)]


def test_no_response_is_no_batch(model: PreTrainedModel) -> None:
    assert batched(model, [], 10) == []


LLAMA = family("llama", layers=1)


@given(st.lists(st.integers(3, 20), max_size=12), st.integers(1, 60))
def test_every_response_is_read_once_in_its_order_and_no_batch_is_too_large(lengths: list[int], tokens: int) -> None:
    batches = batched(LLAMA, of_length(*lengths), tokens)
    assert [name for batch in batches for name in batch.problem_ids] == [str(n) for n in range(len(lengths))]
    assert [length for batch in batches for length in batch.lengths] == lengths
    assert all(batch.ids_BT.numel() <= tokens or len(batch) == 1 for batch in batches)


def test_the_longest_are_read_first_and_equal_ones_in_their_order() -> None:
    assert reading_order(of_length(3, 6, 4, 6, 3)) == [1, 3, 2, 0, 4]
    assert reading_order([]) == []


def test_end_tokens_after_the_response_do_not_count(model: PreTrainedModel) -> None:
    assert model.config.eos_token_id == END
    assert content_ids(model, response(4, 5, 6, END, END)) == (4, 5, 6)
    assert content_ids(model, response(4, END, 6, END)) == (4, END, 6)
    (batch,) = batched(model, [response(4, 5, 6, END, ends=(2, 3))], 10)
    assert (batch.lengths, batch.ends) == ((3,), ((2,),))  # nor does the step end that stood there


def test_a_model_may_end_with_several_tokens() -> None:
    model = family("llama", layers=1)
    model.config.eos_token_id = [2, 3]
    model.generation_config.eos_token_id = 7
    assert content_ids(model, response(4, 5, 6, 3, 2, 7)) == (4, 5, 6)
    model.config.eos_token_id = model.generation_config.eos_token_id = None
    assert content_ids(model, response(4, 5, 6, 3)) == (4, 5, 6, 3)


def test_a_prm_reads_the_ends_of_its_steps_whatever_token_they_are() -> None:
    model = family("llama", layers=1)
    model.config.eos_token_id = END
    prm = PRM(backbone(model.model))
    assert content_ids(prm, response(4, 5, 6, END)) == (4, 5, 6, END)
    assert embedding(prm) is embedding(model)


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ((4, 5, END), "the response is only end tokens. Leave it out of its set"),
        ((4,) * 257, "longer than the context, got '257 tokens'; expected at most 256"),
        ((4, 5, 999), r"not in the vocabulary of the reference model, got 999; expected 0 to \d+\. Encode"),
        ((4, 5, 6, -1), r"not in the vocabulary of the reference model, got -1; expected 0 to \d+\. Encode"),
    ],
)
def test_a_response_that_does_not_suit_the_model(model: PreTrainedModel, ids: tuple[int, ...], message: str) -> None:
    with pytest.raises(InputError, match=f"^p: .*{message}"):
        content_ids(model, response(*ids))


def test_a_response_as_long_as_the_context_fits_and_its_end_tokens_do_not_count(model: PreTrainedModel) -> None:
    assert len(content_ids(model, response(*[4] * 256, END))) == 256


@pytest.mark.parametrize("engine", ["auto", "loop", "hooks", "layersync", "mean", "sketch"])
@pytest.mark.parametrize("unsuited", [(4,) * 70, (4, 5, 999), (4, 5, -1)])
def test_no_model_ever_reads_what_does_not_suit_it(unsuited: tuple[int, ...], engine: Engine) -> None:
    """A GPU that looks up such a token, or a position beyond the last, takes the whole process down."""
    sets = {"all": [response(*unsuited, problem="bad"), response(4, 5, 6)]}
    with pytest.raises(InputError, match=r"^bad: "):
        compare(family("gpt2", layers=1), sets, SimilarityConfig(engine=engine))
