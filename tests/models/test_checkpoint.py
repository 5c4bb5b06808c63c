import copy
import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from prmkit.errors import InputError
from prmkit.models.checkpoint import (
    CheckpointMeta,
    export_process_reward_model,
    inspect_checkpoint,
    load_prm,
    save_prm,
)
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.packing.format import StepFormat
from prmkit.tree import Problem
from tests.tiny import tiny_backbone, tiny_tokenizer

META = CheckpointMeta(format=StepFormat(), label_source="monte-carlo", max_length=200)
IDS = torch.tensor([[5, 6, 7, 3, 8, 9, 3]])
ENDS = torch.tensor([[3, 6]])


@pytest.fixture(scope="module")
def prm(tmp_path_factory: pytest.TempPathFactory) -> PRM:
    name = tiny_backbone(tmp_path_factory.mktemp("backbone"))
    torch.manual_seed(0)
    return PRM.from_backbone(name, ModelConfig(name=name, max_length=200)).eval()


@pytest.fixture
def folder(prm: PRM, tmp_path: Path) -> Path:
    save_prm(prm, tiny_tokenizer(), tmp_path / "prm", META)
    return tmp_path / "prm"


def scores(prm: PRM) -> torch.Tensor:
    with torch.no_grad():
        return prm(IDS, torch.ones_like(IDS), ENDS)


def test_scores_survive_saving_bit_for_bit(prm: PRM, folder: Path) -> None:
    loaded = load_prm(folder)
    assert torch.equal(scores(loaded.prm), scores(prm))
    assert loaded.meta == META
    assert loaded.encoder.path_ids(Problem(id="p", prompt="1 + 2 ?"), ["= 3"])[1] == [7]
    assert not loaded.prm.training


def test_a_checkpoint_in_several_files_is_the_same(prm: PRM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prmkit.models.saving._SHARD_BYTES", 20_000)
    save_prm(prm, tiny_tokenizer(), tmp_path / "prm", META)
    assert len(list((tmp_path / "prm").glob("*.safetensors"))) > 2
    assert torch.equal(scores(load_prm(tmp_path / "prm").prm), scores(prm))


def test_the_folder_is_what_vllm_reads(folder: Path) -> None:
    config = json.loads((folder / "config.json").read_text())
    assert config["architectures"] == ["Qwen2ForRewardModel"]
    assert config["model_type"] == "qwen2"
    assert len(config["id2label"]) == 1  # how a Hugging Face config spells num_labels = 1
    assert "auto_map" not in config
    weights = load_file(folder / "model.safetensors")
    heads = {key: tuple(value.shape) for key, value in weights.items() if not key.startswith("model.")}
    assert heads == {
        "score.0.weight": (32, 32),
        "score.0.bias": (32,),
        "score.2.weight": (1, 32),
        "score.2.bias": (1,),
    }
    assert "model.embed_tokens.weight" in weights
    assert json.loads((folder / "prmkit.json").read_text())["schema"] == 1


def test_the_stored_dtype_is_kept_unless_another_is_asked_for(prm: PRM, tmp_path: Path) -> None:
    save_prm(copy.deepcopy(prm).to(torch.bfloat16), tiny_tokenizer(), tmp_path / "half", META)
    assert {p.dtype for p in load_prm(tmp_path / "half").prm.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in load_prm(tmp_path / "half", dtype=torch.float32).prm.parameters()} == {torch.float32}


def test_a_causal_lm_is_no_prm(tmp_path: Path) -> None:
    tiny_backbone(tmp_path)
    with pytest.raises(InputError, match=r"not the checkpoint of a PRM, got 'weights without score\.0\.weight, score"):
        load_prm(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        load_prm(tmp_path / "nowhere")


def test_missing_keys_are_named(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    del weights["score.2.bias"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"weights without score\.2\.bias'"):
        load_prm(folder)
    weights["score.2.bias"] = torch.zeros(1)
    del weights["model.norm.weight"]
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"weights are missing, got 'no model\.norm\.weight'"):
        load_prm(folder)


def test_a_head_of_another_shape_is_refused(folder: Path, tmp_path: Path) -> None:
    export_process_reward_model(folder, tmp_path / "two")
    (tmp_path / "two" / "prmkit.json").write_bytes((folder / "prmkit.json").read_bytes())
    with pytest.raises(InputError, match=r"score\.2\.weight has another shape.*got \(2, 32\); expected \(1, 32\)"):
        load_prm(tmp_path / "two")


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (None, r"the folder has no prmkit\.json"),
        ("{", r"prmkit\.json: not a record of this schema"),
        ('{"schema": 2}', r"\(schema: Input should be 1\)"),
    ],
)
def test_a_broken_record_is_refused(folder: Path, record: str | None, message: str) -> None:
    (folder / "prmkit.json").unlink()
    if record is not None:
        (folder / "prmkit.json").write_text(record)
    with pytest.raises(InputError, match=message):
        load_prm(folder)


def test_the_two_label_form_is_exact(prm: PRM, folder: Path, tmp_path: Path) -> None:
    export_process_reward_model(folder, tmp_path / "two")
    config = json.loads((tmp_path / "two" / "config.json").read_text())
    assert config["architectures"] == ["Qwen2ForProcessRewardModel"]
    assert len(config.get("id2label", {"0": 0, "1": 1})) == 2  # two labels are the default, which is not written
    weights = load_file(tmp_path / "two" / "model.safetensors")
    hidden = prm.model(input_ids=IDS).last_hidden_state[0, ENDS[0]]
    inner = torch.relu(hidden @ weights["score.0.weight"].T + weights["score.0.bias"])
    logits = inner @ weights["score.2.weight"].T + weights["score.2.bias"]
    # softmax([0, z])[1] = exp(z) / (1 + exp(z)) = sigmoid(z)
    torch.testing.assert_close(logits.softmax(-1)[:, 1], scores(prm)[0].sigmoid(), atol=1e-6, rtol=0)


def test_the_facts_say_what_stands_around_a_problem(prm: PRM, folder: Path, tmp_path: Path) -> None:
    facts = inspect_checkpoint(folder)
    assert (facts.before, facts.after) == ("", "\n")
    tokenizer = tiny_tokenizer()
    tokenizer.chat_template = "{% for turn in messages %}? {{ turn.content }} = {% endfor %}"
    meta = META.model_copy(update={"format": StepFormat(template="chat")})
    save_prm(prm, tokenizer, tmp_path / "chat", meta)
    facts = inspect_checkpoint(tmp_path / "chat")
    assert (facts.before, facts.after) == ("? ", " = ")
    (tmp_path / "chat" / "chat_template.jinja").unlink()
    for read in (inspect_checkpoint, load_prm):
        with pytest.raises(InputError, match=r"chat: the model has no chat template"):
            read(tmp_path / "chat")  # type: ignore[operator]
