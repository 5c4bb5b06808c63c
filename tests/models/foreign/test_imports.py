import json
from pathlib import Path

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForTokenClassification

from prmkit.errors import InputError
from prmkit.models.checkpoint import CheckpointMeta, export_process_reward_model, load_prm, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.foreign.imports import import_prm, merge_adapter
from prmkit.models.prm import PRM
from prmkit.packing.format import StepFormat
from prmkit.tree import Problem
from tests.tiny import tiny_backbone, tiny_tokenizer

META = CheckpointMeta(format=StepFormat(template="bare"), label_source="human", max_length=64)
IDS = torch.tensor([[5, 6, 7, 3, 8, 9, 3]])
ENDS = torch.tensor([[3, 6]])


def scores(folder: Path) -> torch.Tensor:
    with torch.no_grad():
        return load_prm(folder).prm(IDS, torch.ones_like(IDS), ENDS).sigmoid()[0]


@pytest.fixture
def classifier(tmp_path: Path) -> tuple[Path, torch.nn.Module]:
    """What TRL's PRMTrainer saves: one linear map to two labels."""
    name = tiny_backbone(tmp_path / "backbone")
    torch.manual_seed(0)
    model = AutoModelForTokenClassification.from_pretrained(name, num_labels=2).eval()
    torch.nn.init.normal_(model.score.weight)
    torch.nn.init.normal_(model.score.bias)
    model.save_pretrained(tmp_path / "trl")
    tiny_tokenizer().save_pretrained(tmp_path / "trl")
    return tmp_path / "trl", model


def probabilities(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model(input_ids=IDS).logits.softmax(-1)[0, ENDS[0], 1]


def test_a_prm_of_trl_keeps_its_scores(classifier: tuple[Path, torch.nn.Module], tmp_path: Path) -> None:
    folder, model = classifier
    assert import_prm(str(folder), tmp_path / "ours", META) == "token-classification"
    torch.testing.assert_close(scores(tmp_path / "ours"), probabilities(model), atol=1e-6, rtol=0)
    assert load_prm(tmp_path / "ours").meta == META
    assert json.loads((tmp_path / "ours" / "config.json").read_text())["architectures"] == ["Qwen2ForRewardModel"]


def test_a_prm_of_qwen_keeps_its_scores(tmp_path: Path) -> None:
    name = tiny_backbone(tmp_path / "backbone")
    save_prm(PRM.from_backbone(name, ModelConfig(name=name, max_length=64)), tiny_tokenizer(), tmp_path / "one", META)
    export_process_reward_model(tmp_path / "one", tmp_path / "two")
    weights = load_file(tmp_path / "two" / "model.safetensors")
    weights["score.2.weight"] += 1.0  # both logits move together, which softmax does not see
    save_file(weights, tmp_path / "two" / "model.safetensors", metadata={"format": "pt"})
    assert import_prm(str(tmp_path / "two"), tmp_path / "back", META) == "process-reward-model"
    torch.testing.assert_close(scores(tmp_path / "back"), scores(tmp_path / "one"), atol=1e-5, rtol=0)


def test_an_adapter_of_peft_is_merged(classifier: tuple[Path, torch.nn.Module], tmp_path: Path) -> None:
    _, model = classifier
    config = peft.LoraConfig(task_type="TOKEN_CLS", r=4, target_modules=["q_proj", "up_proj"], init_lora_weights=False)
    adapted = peft.get_peft_model(model, config).eval()
    expected = probabilities(adapted)
    adapted.save_pretrained(tmp_path / "adapter")
    merge_adapter(tmp_path / "adapter", tmp_path / "ours", META, base=str(tmp_path / "backbone"))
    torch.testing.assert_close(scores(tmp_path / "ours"), expected, atol=1e-5, rtol=0)


def test_an_adapter_without_its_head_is_refused(classifier: tuple[Path, torch.nn.Module], tmp_path: Path) -> None:
    _, model = classifier
    peft.get_peft_model(model, peft.LoraConfig(r=4, target_modules=["q_proj"])).save_pretrained(tmp_path / "adapter")
    with pytest.raises(InputError, match="came without its head"):
        merge_adapter(tmp_path / "adapter", tmp_path / "ours", META, base=str(tmp_path / "backbone"))


def test_what_is_no_prm_is_refused(tmp_path: Path) -> None:
    name = tiny_backbone(tmp_path / "backbone")
    with pytest.raises(InputError, match="neither a PRM of TRL nor one of Qwen, got 'a head of nothing'"):
        import_prm(name, tmp_path / "ours", META)
    with pytest.raises(InputError, match="no adapter_config"):
        merge_adapter(tmp_path / "backbone", tmp_path / "ours", META)


def test_another_number_of_labels_is_refused(classifier: tuple[Path, torch.nn.Module], tmp_path: Path) -> None:
    folder, _ = classifier
    weights = load_file(folder / "model.safetensors")
    weights |= {"score.weight": torch.zeros(3, 32), "score.bias": torch.zeros(3)}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match="another number of labels, got 3; expected 2"):
        import_prm(str(folder), tmp_path / "ours", META)


def test_a_format_that_the_tokenizer_does_not_allow_is_refused_before_anything_is_written(
    classifier: tuple[Path, torch.nn.Module], tmp_path: Path
) -> None:
    folder, _ = classifier
    for format, message in [
        (StepFormat(template="chat"), "the model has no chat template"),
        (StepFormat(step_end="<extra_0>"), "does not know the step end"),
    ]:
        with pytest.raises(InputError, match=message):
            import_prm(str(folder), tmp_path / "ours", META.model_copy(update={"format": format}))
    assert not (tmp_path / "ours").exists()


def test_a_prm_is_asked_by_its_own_chat_template_or_by_one_from_a_file(
    classifier: tuple[Path, torch.nn.Module], tmp_path: Path
) -> None:
    folder, _ = classifier
    (tmp_path / "t.jinja").write_text("{% for turn in messages %}? {{ turn.content }} = {% endfor %}")
    given = StepFormat(template="chat", template_file=str(tmp_path / "t.jinja"))
    import_prm(str(folder), tmp_path / "given", META.model_copy(update={"format": given}))
    assert load_prm(tmp_path / "given").meta.format == StepFormat(template="chat")
    (folder / "chat_template.jinja").write_text("{% for turn in messages %}? {{ turn.content }} = {% endfor %}")
    import_prm(str(folder), tmp_path / "own", META.model_copy(update={"format": StepFormat(template="chat")}))
    encoder = load_prm(tmp_path / "own").encoder
    assert encoder.tokenizer.decode(encoder.problem_ids(Problem(id="p", prompt="1 + 2"))) == "? 1 + 2 ="
    assert load_prm(tmp_path / "given").encoder.prompter.around == encoder.prompter.around
