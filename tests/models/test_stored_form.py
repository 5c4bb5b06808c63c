"""What is written is what published folders hold, and what is read of them is what transformers reads."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModel, PreTrainedModel

from prmkit.models.saving import merged_weights
from prmkit.models.stored_form import stored_form, stored_weights
from tests.zoo import tiny_folder

KINDS = ["llama", "gpt2", "gpt_neox", "gemma2", "mixtral", "qwen3_moe", "glm4_moe", "deepseek_v3", "gpt_oss"]


@pytest.fixture(scope="module", params=KINDS)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(tiny_folder(request.param, tmp_path_factory.mktemp("model")))


def model_of(folder: Path) -> PreTrainedModel:
    model: PreTrainedModel = AutoModel.from_pretrained(folder)
    return model


def held_by(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


def test_a_backbone_is_written_as_its_published_folder_holds_it(folder: Path) -> None:
    model, published = model_of(folder), held_by(folder)
    written = dict(stored_form(model, merged_weights(model)))
    head = {"lm_head.weight", "embed_out.weight"} & published.keys()
    assert written.keys() == published.keys() - head
    assert all(torch.equal(value, published[key]) for key, value in written.items())


def test_each_weight_is_made_of_the_tensors_that_hold_it(folder: Path) -> None:
    model, published = model_of(folder), held_by(folder)
    with torch.device("meta"):
        empty = type(model)(model.config)
    found, missing = stored_weights(empty, published)
    assert missing == set()
    made = {}
    for name, weight in found.items():
        made |= weight.made(name, published, empty)
    assert made.keys() == model.state_dict().keys()
    assert all(torch.equal(value, made[name]) for name, value in model.state_dict().items())


def test_what_lies_nowhere_is_missing(folder: Path) -> None:
    model, published = model_of(folder), held_by(folder)
    gone = next(key for key in sorted(published) if "norm" in key or "ln_" in key)
    _, missing = stored_weights(model, published.keys() - {gone})
    assert [gone.endswith(name) for name in missing] == [True]
