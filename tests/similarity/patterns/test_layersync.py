import tempfile
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from prmkit.errors import InputError
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.patterns.batches import batched, reading_order
from prmkit.similarity.patterns.engine import compare
from prmkit.similarity.patterns.job import Job
from prmkit.similarity.patterns.layersync import layer_calls, layersync_grams
from prmkit.similarity.patterns.parameters import ChosenParameter, Tile, chosen_parts, decoder, tiles_of
from prmkit.similarity.patterns.targets import target_values
from prmkit.similarity.response import Response
from tests.similarity.conftest import family, handing_on_tuples, response
from tests.similarity.patterns.test_engine import assert_same, gram_of


def job_of(model: PreTrainedModel, responses: list[Response], **options: Any) -> Job:
    config = SimilarityConfig(engine="layersync", **options)
    return Job(
        model=model,
        batches=batched(model, [responses[row] for row in reading_order(responses)], 14),
        target=target_values("max_logit"),
        config=config,
        predicted=np.full(len(responses), -1),
    )


@pytest.mark.parametrize("options", [{"layers": (1, 2)}, {"layers": (0, 1)}, {"parameters": "mlp"}])
def test_some_layers_or_matrices_are_enough(responses: list[Response], options: dict[str, Any]) -> None:
    model = family("qwen2")
    found = gram_of(model, responses, engine="layersync", **options)
    oracle = gram_of(model, responses, engine="loop", **options)
    assert_same(found, oracle)
    assert found.predicted_tokens == oracle.predicted_tokens


def test_one_layer_is_first_and_last(responses: list[Response]) -> None:
    model = family("qwen2", layers=1)
    assert_same(gram_of(model, responses, engine="layersync"), gram_of(model, responses, engine="loop"))


@pytest.mark.parametrize("offload", [False, True])
def test_layers_may_see_the_tokens_differently(responses: list[Response], offload: bool) -> None:
    """Gemma's every other layer looks back two tokens here."""
    config = AutoConfig.for_model(
        "gemma2", hidden_size=32, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=8,
        intermediate_size=48, vocab_size=40, max_position_embeddings=64, sliding_window=2, initializer_range=0.2,
        bos_token_id=0, eos_token_id=1, pad_token_id=0, attn_implementation="eager",
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(config).eval()
    assert len(set(config.layer_types)) == 2
    found = gram_of(model, responses, engine="layersync", offload=offload)
    assert_same(found, gram_of(model, responses, engine="loop"))


def test_the_last_layer_is_done_first_and_a_layer_is_whole_before_the_next(
    model: PreTrainedModel, responses: list[Response]
) -> None:
    parts = chosen_parts(model, SimilarityConfig())
    found = list(layersync_grams(job_of(model, responses), tiles_of(enumerate(parts))))
    assert [parts[one.tile.part].layer for one in found] == [1] * 7 + [0] * 7
    assert {one.tile.weight.name for one in found} == {weight.name for part in parts for weight in part.weights}


@pytest.mark.parametrize(("layers", "turns"), [(None, 3), ((1, 3), 2), ((2, 3), 1), ((0, 1), 3)])
def test_no_layer_below_the_chosen_ones_is_differentiated(
    responses: list[Response], layers: tuple[int, int] | None, turns: int
) -> None:
    announced: list[int] = []
    done: list[None] = []

    def progress(total: int) -> Any:
        announced.append(total)
        return nullcontext(lambda: done.append(None))

    config = SimilarityConfig(engine="layersync", layers=layers, batch_tokens=1)
    compare(family("qwen2"), {"all": responses}, config, progress=progress)
    assert announced == [len(done)] == [turns * len(responses)]


def test_the_model_says_what_it_would_say_anyway(model: PreTrainedModel, responses: list[Response]) -> None:
    job = job_of(model, responses)
    list(layersync_grams(job, tiles_of(enumerate(chosen_parts(model, SimilarityConfig(layers=(1, 2)))))))
    with torch.no_grad():
        said = [int(model(input_ids=torch.tensor([one.ids])).logits[0, -1].argmax()) for one in responses]
    assert job.predicted.tolist() == [said[row] for row in reading_order(responses)]


def test_calls_are_recorded_and_no_layer_runs(model: PreTrainedModel) -> None:
    (batch,) = batched(model, [response(4, 5, 6, 7), response(4, 5, 8)], 100)
    _, layers = decoder(model)

    def run(module: Any, args: Any, output: Any) -> None:
        raise AssertionError("a layer ran")

    handles = [inner.register_forward_hook(run) for layer in layers for inner in layer.children()]
    try:
        calls = layer_calls(model, layers, batch)
    finally:
        for handle in handles:
            handle.remove()
    assert len(calls) == len(layers)
    for call in calls:  # what enters the first layer, since none did anything
        torch.testing.assert_close(call.hidden_BTH, model.get_input_embeddings()(batch.ids_BT))
    assert all("forward" not in vars(layer) for layer in layers)


@pytest.mark.parametrize(("kind", "layers"), [("bloom", 2), ("bloom", 1), ("gptj", 2)])
def test_layers_that_hand_on_more_than_states_are_refused(responses: list[Response], kind: str, layers: int) -> None:
    model = handing_on_tuples(kind, layers)
    with pytest.raises(
        InputError, match=r"layersync cannot call the layers of this model, got '.*'\. Use engine: hooks"
    ):
        gram_of(model, responses, engine="layersync")
    assert all("forward" not in vars(layer) for layer in decoder(model)[1])


def test_what_stands_outside_the_layers_is_refused(model: PreTrainedModel, responses: list[Response]) -> None:
    embedding = model.get_input_embeddings()
    weight = ChosenParameter(name="model.embed_tokens.weight", parameter=embedding.weight, module=None)
    tile = Tile(part=0, weight=weight, start=0, stop=4)
    with pytest.raises(InputError, match=r"decoder layers only, got 'model\.embed_tokens\.weight'\. Use engine: loop"):
        list(layersync_grams(job_of(model, responses), [tile]))


@pytest.mark.parametrize("taken", [0, 1, 8, 14])
def test_states_on_disk_are_gone_and_the_model_is_as_it_was_wherever_the_work_stops(
    model: PreTrainedModel, responses: list[Response], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: int
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = [(parameter.requires_grad, parameter.data_ptr()) for parameter in model.parameters()]
    tiles = tiles_of(enumerate(chosen_parts(model, SimilarityConfig())))
    grams = layersync_grams(job_of(model, responses, offload=True), tiles)
    for number in range(taken):
        next(grams)
        if number == 0:  # of two batches: the deltas of the last layer, and the states of the first
            assert len([file for file in tmp_path.rglob("*") if file.is_file()]) == 2 * 2
    grams.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []
    assert [(parameter.requires_grad, parameter.data_ptr()) for parameter in model.parameters()] == before
    assert not any(module._forward_hooks for module in model.modules())


def test_a_tile_of_all_responses_takes_a_part_of_the_memory(model: PreTrainedModel, responses: list[Response]) -> None:
    """A sixteenth of it: the rest is for what a layer keeps."""
    tiles = tiles_of(enumerate(chosen_parts(model, SimilarityConfig(layers=(1, 2), parameters="attention"))))
    whole = list(layersync_grams(job_of(model, responses), tiles))
    rows = 16 * (len(responses) * 32 * 4) * 5 / 2**30  # five rows of 32 weights
    parts = list(layersync_grams(job_of(model, responses, memory_gib=rows), tiles))
    assert max(one.tile.stop - one.tile.start for one in parts) == 5
    for one in whole:
        pieces = [piece for piece in parts if piece.tile.weight.name == one.tile.weight.name]
        np.testing.assert_allclose(sum(piece.gram for piece in pieces), one.gram, rtol=1e-6)
