from pathlib import Path

import pytest
import torch

from prmkit.errors import InputError
from prmkit.models.checkpoint import CheckpointMeta, load_prm, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.packing.format import StepFormat
from prmkit.train.adapters import adapted
from prmkit.train.config import LoraConfig
from tests.tiny import tiny_backbone, tiny_tokenizer
from tests.train.test_fit import told_by_a_token, train
from tests.zoo import tiny_folder

IDS = torch.tensor([[5, 6, 7, 3, 8, 9, 3]])
ENDS = torch.tensor([[3, 6]])


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_backbone(tmp_path_factory.mktemp("backbone"))


def config(name: str) -> ModelConfig:
    return ModelConfig(name=name, max_length=64, head_dropout=0.0)


def test_adapters_and_head_are_trained_and_nothing_else(name: str) -> None:
    prm, _ = adapted(name, config(name), LoraConfig(rank=4, targets=("q_proj", "down_proj")))
    trained = {key for key, parameter in prm.named_parameters() if parameter.requires_grad}
    assert {key for key in trained if key.startswith("score.")} == {
        f"score.{n}" for n in ("0.weight", "0.bias", "2.weight", "2.bias")
    }
    assert {key.split(".lora_")[0].rpartition(".")[2] for key in trained if ".lora_" in key} == {"q_proj", "down_proj"}
    assert all(".lora_" in key or key.startswith("score.") for key in trained)


def saved_and_loaded(prm: PRM, folder: Path) -> PRM:
    meta = CheckpointMeta(format=StepFormat(), label_source="human", max_length=64)
    save_prm(prm, tiny_tokenizer(), folder, meta)
    return load_prm(folder).prm


EXPERTS = ("o_proj", "gate_up_proj", "down_proj")


@pytest.mark.parametrize(
    ("kind", "targets"),
    [
        ("qwen2", ()),
        ("gpt2", ()),  # Conv1D, whose weight lies the other way round
        ("gpt_neox", ()),
        ("phi3", ()),  # maps that stand for several
        ("falcon", ()),
        ("mixtral", ()),
        ("mixtral", EXPERTS),
        ("qwen3_moe", EXPERTS),
        ("deepseek_v3", ()),
        ("deepseek_v3", (*EXPERTS, "shared_experts.up_proj")),
        ("gpt_oss", EXPERTS),
    ],
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_merged_checkpoint_scores_as_its_adapters(
    tmp_path: Path, kind: str, targets: tuple[str, ...], dtype: str
) -> None:
    name = tiny_folder(kind, tmp_path / "backbone")
    plain = PRM.from_backbone(name, config(name)).state_dict()
    settings = config(name).model_copy(update={"dtype": dtype})
    prm, found = adapted(name, settings, LoraConfig(rank=4, targets=targets))
    prm.eval()
    torch.manual_seed(0)
    for key, parameter in prm.named_parameters():
        if ".lora_B." in key:
            torch.nn.init.normal_(parameter, std=0.05)
    merged = saved_and_loaded(prm, tmp_path / "prm")
    ones, near = torch.ones_like(IDS), 1e-5 if dtype == "float32" else 0.02
    with torch.no_grad():
        expected = prm(IDS, ones, ENDS)
        torch.testing.assert_close(merged(IDS, ones, ENDS), expected, atol=near, rtol=0)
    assert merged.state_dict().keys() == plain.keys()
    if dtype == "float32":
        changed = {
            key for key, value in merged.model.state_dict().items() if not torch.equal(value, plain[f"model.{key}"])
        }
        weights = {f"{one}.weight" for one in found.maps}
        assert changed == weights | set(found.stacks)


def test_an_adapter_of_experts_has_no_dropout(tmp_path: Path) -> None:
    name = tiny_folder("mixtral", tmp_path)
    with pytest.raises(InputError, match=r"lora\.dropout: adapters of experts have no dropout, got 0\.1\. Set it to 0"):
        adapted(name, config(name), LoraConfig(targets=("down_proj",), dropout=0.1))


@pytest.mark.parametrize("kind", ["mixtral", "qwen3_moe", "deepseek_v3"])
def test_adapters_of_experts_learn_and_are_kept(tmp_path: Path, kind: str) -> None:
    name = tiny_folder(kind, tmp_path / "backbone")
    lora = LoraConfig(rank=4, targets=EXPERTS)
    result = train(name, tmp_path / "run", told_by_a_token(16), lora=lora, lr=1e-2)
    before, after = PRM.from_backbone(name, config(name)).state_dict(), load_prm(result.checkpoint).prm.state_dict()
    stack = "model.layers.1.mlp.experts.gate_up_proj"
    assert not torch.equal(before[stack], after[stack])
    assert torch.equal(before["model.layers.1.mlp.gate.weight"], after["model.layers.1.mlp.gate.weight"])


def test_targets_that_match_nothing_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=r"targets: no part.*got \['query'\]; expected some of down_proj, gate_proj"):
        adapted(name, config(name), LoraConfig(targets=("query", "q_proj")))


def test_four_bits_name_the_extra_that_is_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prmkit.train.adapters.find_spec", lambda _: None)
    with pytest.raises(InputError, match=r"quantize: bitsandbytes is not installed\. pip install 'prmkit\[qlora\]'"):
        adapted(name, config(name), LoraConfig(quantize="nf4"))


@pytest.mark.slow
def test_four_bit_weights_are_trained_on_and_merged(name: str, tmp_path: Path) -> None:
    """The checkpoint scores as the 4-bit model with its adapters does, and a training in 4 bits learns."""
    pytest.importorskip("bitsandbytes", reason="needs prmkit[qlora]")
    prm = adapted(name, config(name), LoraConfig(rank=4, quantize="nf4"))[0].eval()
    stored = prm.model.layers[0].mlp.up_proj.base_layer.weight  # type: ignore[union-attr]
    assert stored.dtype == torch.uint8
    assert stored.nbytes * 8 == 4 * 32 * 64
    for key, parameter in prm.named_parameters():
        if ".lora_B." in key:
            torch.nn.init.normal_(parameter, std=0.2)
    with torch.no_grad():
        expected = prm(IDS, torch.ones_like(IDS), ENDS)
    meta = CheckpointMeta(format=StepFormat(), label_source="human", max_length=64)
    save_prm(prm, tiny_tokenizer(), tmp_path / "prm", meta)
    merged = load_prm(tmp_path / "prm").prm
    with torch.no_grad():
        torch.testing.assert_close(merged(IDS, torch.ones_like(IDS), ENDS), expected, atol=1e-5, rtol=0)
    fields: dict[str, object] = {"epochs": 8, "lr": 5e-3, "lora": LoraConfig(rank=8, quantize="nf4")}
    assert train(name, tmp_path / "run", told_by_a_token(), **fields).metrics["auroc"] > 0.9


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "targets"), [("qwen2", ("q_proj",)), ("mixtral", ("o_proj", "down_proj")), ("deepseek_v3", ())]
)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_has_no_adapter_leaves_its_four_bits_too(
    tmp_path: Path, kind: str, targets: tuple[str, ...], dtype: str
) -> None:
    pytest.importorskip("bitsandbytes", reason="needs prmkit[qlora]")
    backbone = tiny_folder(kind, tmp_path / "backbone")
    settings = config(backbone).model_copy(update={"dtype": dtype})
    prm = adapted(backbone, settings, LoraConfig(rank=4, targets=targets, quantize="nf4"))[0].eval()
    for key, parameter in prm.named_parameters():
        if ".lora_B." in key:
            torch.nn.init.normal_(parameter, std=0.05)
    merged, ones = saved_and_loaded(prm, tmp_path / "prm"), torch.ones_like(IDS)
    with torch.no_grad():
        expected = prm(IDS, ones, ENDS)
        near = 1e-5 if dtype == "float32" else 0.02
        torch.testing.assert_close(merged(IDS, ones, ENDS), expected, atol=near, rtol=0, check_dtype=False)


def test_adapters_learn_and_go_on(name: str, tmp_path: Path) -> None:
    fields: dict[str, object] = {"epochs": 4, "lr": 2e-2, "lora": LoraConfig(rank=8), "gradient_checkpointing": True}
    result = train(name, tmp_path, told_by_a_token(), **fields)
    assert result.metrics["auroc"] > 0.9
    before = PRM.from_backbone(name, config(name)).state_dict()
    after = load_prm(result.checkpoint).prm.state_dict()
    assert torch.equal(before["model.embed_tokens.weight"], after["model.embed_tokens.weight"])
    assert not torch.equal(before["model.layers.0.mlp.up_proj.weight"], after["model.layers.0.mlp.up_proj.weight"])
