from typing import Any

import pytest
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.patterns.activation import batched_patterns, single_patterns
from prmkit.similarity.patterns.engine import compare
from prmkit.similarity.patterns.engine_choice import choose_engine, refuse_unsuited
from prmkit.similarity.patterns.job import PatternSource
from prmkit.similarity.patterns.parameters import chosen_parts
from prmkit.similarity.response import Response
from prmkit.similarity.statistics.gram import PatternGram
from tests.similarity.conftest import family, handing_on_tuples, mixture, response

READ = [response(4, 5, 6, 7), response(4, 5, 8)]


def chosen(model: PreTrainedModel, responses: list[Response] = READ, **options: Any) -> tuple[str, PatternSource, str]:
    config = SimilarityConfig(**options)
    return choose_engine(model, chosen_parts(model, config), responses, config)


def gigabytes(model: PreTrainedModel, responses: int) -> float:
    """What the patterns of so many responses take, fp32."""
    return responses * sum(part.size for part in chosen_parts(model, SimilarityConfig())) * 4 / 2**30


def test_what_fits_in_memory_is_kept_there(model: PreTrainedModel) -> None:
    need = gigabytes(model, 2)
    assert chosen(model, memory_gib=need) == (
        "hooks",
        batched_patterns,
        f"all patterns take {need:.3g} GiB of {need:g}",
    )
    # A byte more than there is room for, and more responses, go through one layer at a time.
    assert chosen(model, memory_gib=need - 1 / 2**30)[0] == "layersync"
    assert chosen(model, READ * 2, memory_gib=need)[0] == "layersync"


@pytest.mark.parametrize(("normalise", "engine"), [("whole", "sketch"), ("layer", "mean")])
def test_more_responses_than_grams_are_worth_get_no_gram(
    model: PreTrainedModel, monkeypatch: pytest.MonkeyPatch, normalise: str, engine: str
) -> None:
    """A sketch holds all layers together, so where they have norms of their own it is means."""
    monkeypatch.setattr("prmkit.similarity.patterns.engine_choice.MOST_FOR_GRAMS", 3)
    assert chosen(model, READ * 2, normalise=normalise) == (
        engine,
        batched_patterns,
        "4 responses are more than 3",
    )
    assert chosen(model, [*READ, READ[0]], normalise=normalise)[0] == "hooks"


@pytest.mark.parametrize("kind", ["bloom", "gptj"])
def test_layers_that_cannot_be_called_alone_are_differentiated_together(kind: str) -> None:
    assert chosen(handing_on_tuples(kind), memory_gib=1e-6)[0] == "hooks"


def test_a_parameter_of_no_linear_map_is_differentiated_one_response_at_a_time(model: PreTrainedModel) -> None:
    bias = "model.layers.0.self_attn.q_proj.bias is no linear map that keeps responses apart"
    assert chosen(model, parameters="all") == ("loop", single_patterns, bias)
    for engine in ("hooks", "layersync"):
        with pytest.raises(InputError, match=rf"q_proj\.bias is no linear map .* got '{engine}'\. Use engine: loop"):
            chosen(model, parameters="all", engine=engine)
    # These only forget sooner what they were given.
    for engine in ("mean", "sketch"):
        assert chosen(model, parameters="all", engine=engine) == (engine, single_patterns, "as asked")


@pytest.mark.parametrize("engine", ["hooks", "layersync", "mean", "sketch"])
def test_who_asks_for_an_engine_gets_it(model: PreTrainedModel, engine: str) -> None:
    assert chosen(model, engine=engine, memory_gib=1e-6) == (engine, batched_patterns, "as asked")


def test_the_loop_asks_autograd(model: PreTrainedModel) -> None:
    assert chosen(model, engine="loop") == ("loop", single_patterns, "as asked")


def test_looking_for_the_engine_leaves_the_model_as_it_was() -> None:
    for model in (family("qwen2"), mixture(), handing_on_tuples("gptj")):
        chosen(model, memory_gib=1e-6)
        for module in model.modules():
            assert not module._forward_hooks
            assert "forward" not in vars(module)


def test_a_sketch_of_each_layer_is_refused() -> None:
    with pytest.raises(InputError, match=r"a sketch holds all layers together, got 'normalise: layer'\. Use normal"):
        refuse_unsuited("sketch", SimilarityConfig(normalise="layer"))


@pytest.mark.parametrize(("engine", "normalise"), [("sketch", "whole"), ("mean", "layer"), ("hooks", "layer")])
def test_what_an_engine_can_do_is_not_refused(
    model: PreTrainedModel, responses: list[Response], engine: str, normalise: str
) -> None:
    config = SimilarityConfig(engine=engine, normalise=normalise)  # type: ignore[arg-type]
    refuse_unsuited(engine, config)
    found = compare(model, {"all": responses}, config)
    assert found is not None
    assert found.origin["engine"] == f"{engine} (as asked)"


def test_a_sketch_that_cannot_be_is_refused_before_anything_is_read(
    model: PreTrainedModel, responses: list[Response]
) -> None:
    def progress(batches: int) -> Any:
        raise AssertionError("no batch is read")

    config = SimilarityConfig(engine="sketch", normalise="layer")
    with pytest.raises(InputError, match="a sketch holds all layers together"):
        compare(model, {"all": responses}, config, progress=progress)


def test_experts_that_mix_responses_are_read_one_by_one(responses: list[Response]) -> None:
    model = mixture()

    def gram_of(**options: Any) -> PatternGram:
        found = compare(model, {"all": responses}, SimilarityConfig(**options))
        assert isinstance(found, PatternGram)
        return found

    found = gram_of()
    assert found.origin["engine"].startswith("loop (model.layers.0.mlp")
    experts = sum(p.numel() for name, p in model.named_parameters() if ".experts." in name)
    assert experts > 0
    assert sum(found.sizes) > experts
    assert gram_of(parameters="attention").origin["engine"].startswith("hooks")
    with pytest.raises(InputError, match=r"Use engine: loop"):
        gram_of(engine="layersync")
