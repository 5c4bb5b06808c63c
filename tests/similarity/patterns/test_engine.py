from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from captum._utils.sample_gradient import SampleGradientWrapper
from torch import nn
from transformers import PreTrainedModel

from prmkit.errors import RunError
from prmkit.run.ranks import Process
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.patterns.engine import compare
from prmkit.similarity.patterns.parameters import chosen_parts
from prmkit.similarity.response import Response
from prmkit.similarity.statistics.gram import PatternGram
from prmkit.similarity.statistics.measure import cosines
from tests.similarity.conftest import family, response

EXACT = ("loop", "hooks", "layersync")


def gram_of(model: Any, responses: list[Response], **options: Any) -> PatternGram:
    found = compare(model, {"all": responses}, SimilarityConfig(**options))
    assert isinstance(found, PatternGram)
    return found


def assert_same(one: PatternGram, other: PatternGram, rtol: float = 1e-5) -> None:
    scale = np.sqrt(np.einsum("mii,mjj->mij", other.grams, other.grams))
    assert (np.abs(one.grams - other.grams) / scale).max() < rtol
    np.testing.assert_allclose(one.l1, other.l1, rtol=rtol, atol=rtol * np.abs(other.l1).max())
    assert (one.layers, one.kinds, one.sizes) == (other.layers, other.kinds, other.sizes)


@pytest.mark.parametrize("target", ["max_logit", "log_likelihood", "logit_sum"])
@pytest.mark.parametrize("engine", ["hooks", "layersync"])
def test_engines_agree_with_autograd_one_by_one(
    each_family: PreTrainedModel, responses: list[Response], engine: str, target: str
) -> None:
    oracle = gram_of(each_family, responses, engine="loop", target=target)
    found = gram_of(each_family, responses, engine=engine, target=target)
    assert_same(found, oracle)
    assert found.predicted_tokens == oracle.predicted_tokens
    assert found.origin["engine"].startswith(engine)


def test_the_gram_holds_the_dots_of_the_patterns_that_captum_finds(
    each_family: PreTrainedModel, responses: list[Response]
) -> None:
    """An outside oracle: captum's per-sample gradients of linear layers, here of a batch of equal length."""
    if each_family.config.model_type == "gpt2":
        pytest.skip("captum knows no Conv1D")
    equal = [response(4, 5, token, 7, 9, problem=str(token)) for token in (6, 8, 10)]
    config = SimilarityConfig()
    gram = gram_of(each_family, equal, engine="hooks")
    wrapper = SampleGradientWrapper(each_family, [m for m in each_family.modules() if isinstance(m, nn.Linear)])
    wrapper.add_hooks()
    try:
        logits = each_family(input_ids=torch.tensor([one.ids for one in equal])).logits[:, -1]
        wrapper.compute_param_sample_gradients(logits.max(dim=-1).values, "sum")
        for number, part in enumerate(chosen_parts(each_family, config)):
            parameters = [weight.parameter for weight in part.weights]
            patterns = torch.cat([(p.sample_grad * p).abs().flatten(1) for p in parameters], dim=1).double().detach()
            np.testing.assert_allclose(gram.grams[number], (patterns @ patterns.T).numpy(), rtol=1e-5)
            np.testing.assert_allclose(gram.l1[number], patterns.sum(dim=1).numpy(), rtol=1e-5)
    finally:
        wrapper.remove_hooks()
        each_family.zero_grad(set_to_none=True)


@pytest.mark.parametrize(
    ("engine", "shape"),
    [
        *((engine, {"memory_gib": 1e-5}) for engine in EXACT),
        ("hooks", {"batch_tokens": 1}),
        ("layersync", {"batch_tokens": 1}),
        ("layersync", {"offload": True}),
    ],
)
def test_memory_and_batches_change_nothing(responses: list[Response], engine: str, shape: dict[str, Any]) -> None:
    model = family("qwen2")
    whole = gram_of(model, responses, engine=engine)
    assert_same(gram_of(model, responses, engine=engine, **shape), whole)


@pytest.mark.parametrize("pattern", ["gradient", "signed_gradient"])
@pytest.mark.parametrize("engine", ["hooks", "layersync"])
def test_patterns_without_weights_agree_too(responses: list[Response], engine: str, pattern: str) -> None:
    model = family("qwen2")
    assert_same(
        gram_of(model, responses, engine=engine, pattern=pattern, parameters="attention"),
        gram_of(model, responses, engine="loop", pattern=pattern, parameters="attention"),
        rtol=2e-5,
    )


@pytest.mark.parametrize("engine", EXACT)
@pytest.mark.parametrize("shard", ["layer", "rows"])
def test_processes_share_the_parts_and_the_first_adds_them_up(
    responses: list[Response], engine: str, shard: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.distributed, "barrier", lambda: None)
    model, sets = family("qwen2"), {"all": responses}
    config = SimilarityConfig(engine=engine, shard=shard)  # type: ignore[arg-type]
    # The second process first: the first one adds up.
    with pytest.raises(RunError, match="was not finished by every process"):
        compare(model, sets, config, folder=tmp_path / "alone", process=Process(0, 2))
    for rank in (1, 0):
        found = compare(model, sets, config, folder=tmp_path / "parts", process=Process(rank, 2))
        assert (found is None) == (rank == 1)
    assert_same(found, gram_of(model, responses, engine=engine), rtol=1e-6)  # type: ignore[arg-type]


@pytest.mark.parametrize("engine", EXACT)
def test_what_is_in_the_store_is_not_made_again(responses: list[Response], engine: str, tmp_path: Path) -> None:
    model, sets = family("qwen2"), {"all": responses}
    config = SimilarityConfig(engine=engine)  # type: ignore[arg-type]
    whole = compare(model, sets, config, folder=tmp_path)
    files = sorted(tmp_path.glob("part-*"))
    assert len(files) == 6
    files[2].write_bytes(b"torn")
    files[5].unlink()
    before = [file.stat().st_mtime_ns for file in files[:5]]
    again = compare(model, sets, config, folder=tmp_path)
    assert [file.stat().st_mtime_ns == old for file, old in zip(files, before, strict=False)] == [
        True,
        True,
        False,
        True,
        True,
    ]
    assert isinstance(again, PatternGram)
    assert isinstance(whole, PatternGram)
    np.testing.assert_allclose(again.grams, whole.grams, rtol=1e-6)
    assert again.predicted_tokens == whole.predicted_tokens


def test_cosines_are_of_a_scalar_product(model: PreTrainedModel, responses: list[Response]) -> None:
    cosine_NN = cosines(gram_of(model, responses))
    np.testing.assert_allclose(np.diag(cosine_NN), 1.0)
    np.testing.assert_allclose(cosine_NN, cosine_NN.T, rtol=1e-6)
    assert ((cosine_NN >= 0) & (cosine_NN <= 1 + 1e-6)).all()
    assert np.linalg.eigvalsh(cosine_NN).min() > -1e-6


@pytest.mark.parametrize("engine", EXACT)
def test_the_order_of_the_responses_permutes_the_gram(
    model: PreTrainedModel, responses: list[Response], engine: str
) -> None:
    forward = gram_of(model, responses, engine=engine)
    backward = gram_of(model, responses[::-1], engine=engine)
    np.testing.assert_allclose(backward.grams, forward.grams[:, ::-1, ::-1], rtol=1e-5)
    assert backward.predicted_tokens == forward.predicted_tokens[::-1]


@pytest.mark.parametrize("engine", [*EXACT, "mean", "sketch"])
def test_a_gradient_that_is_not_finite_names_its_layer(responses: list[Response], engine: str) -> None:
    model = family("qwen2")
    model.model.layers[1].self_attn.v_proj.weight.data[0, 0] = torch.inf
    where = "the model" if engine == "sketch" else "layer [012]"
    with pytest.raises(RunError, match=rf"[ab]: the gradient of {where} is not finite"):
        gram_of(model, responses, engine=engine)


@pytest.mark.parametrize("engine", [*EXACT, "mean", "sketch"])
def test_a_gradient_that_is_zero_everywhere_names_the_response(responses: list[Response], engine: str) -> None:
    model = family("llama")
    model.lm_head.weight.data.zero_()
    with pytest.raises(RunError, match=r"[ab]: every gradient is zero"):
        gram_of(model, responses, engine=engine)


@pytest.mark.parametrize("engine", EXACT)
def test_the_model_is_left_as_it_was(responses: list[Response], engine: str) -> None:
    model = family("qwen2").train()
    next(model.parameters()).requires_grad_(False)
    before = [(parameter.requires_grad, parameter.clone()) for parameter in model.parameters()]
    hooks = sum(len(module._forward_hooks) for module in model.modules())
    gram_of(model, responses, engine=engine, offload=True)
    assert model.training
    for parameter, (required, value) in zip(model.parameters(), before, strict=True):
        assert parameter.requires_grad == required
        assert parameter.grad is None
        assert torch.equal(parameter, value)
    assert sum(len(module._forward_hooks) for module in model.modules()) == hooks
    assert all("forward" not in vars(layer) for layer in model.model.layers)


def test_an_adapter_counts_with_the_weights_or_alone(responses: list[Response]) -> None:
    from peft import LoraConfig, inject_adapter_in_model

    plain = family("llama")
    gram_plain = gram_of(plain, responses)
    adapted = family("llama")
    inject_adapter_in_model(LoraConfig(target_modules=["q_proj", "down_proj"], r=2, init_lora_weights=False), adapted)
    merged = gram_of(adapted, responses)
    assert merged.sizes == gram_plain.sizes
    assert not np.allclose(merged.grams, gram_plain.grams, rtol=1e-3)
    for module in adapted.modules():
        if hasattr(module, "lora_A"):
            assert not module.merged
            with torch.no_grad():
                plain.get_submodule(
                    next(n for n, m in adapted.named_modules() if m is module)
                ).weight += module.get_delta_weight("default")
    assert_same(merged, gram_of(plain, responses), rtol=1e-4)
    alone = gram_of(adapted, responses, parameters="adapter")
    assert sum(alone.sizes) == 3 * (2 * (32 + 32) + 2 * (48 + 32))
    assert_same(alone, gram_of(adapted, responses, parameters="adapter", engine="loop"))
