import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import peft
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoModelForTokenClassification, PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES

from prmkit.errors import InputError
from prmkit.models.checkpoint import CheckpointMeta, export_process_reward_model, load_prm, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.foreign.heads import HEAD_NAMES
from prmkit.models.foreign.imports import import_prm, merge_adapter
from prmkit.models.prm import PRM
from prmkit.packing.format import StepFormat
from prmkit.tree import Problem
from tests.tiny import tiny_backbone, tiny_tokenizer
from tests.zoo import tiny_folder, tiny_lm

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
    with pytest.raises(InputError, match=r"the head is missing, got .*; expected one of score, classif.*TOKEN_CLS"):
        merge_adapter(tmp_path / "adapter", tmp_path / "ours", META, base=str(tmp_path / "backbone"))


def test_what_is_no_prm_is_refused(tmp_path: Path) -> None:
    name = tiny_backbone(tmp_path / "backbone")
    with pytest.raises(InputError, match=r"the head is missing, got '27 weights, none of a head'; expected"):
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


KINDS = ["gpt2", "gpt_neox", "mixtral", "deepseek_v3", "qwen3_moe", "falcon"]


@pytest.fixture
def seeded() -> Iterator[None]:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield


def token_classifier(kind: str, tmp_path: Path) -> PreTrainedModel:
    """What TRL trains, with the head under the name that transformers gives it."""
    name = tiny_folder(kind, tmp_path / "backbone")
    known = MODEL_FOR_TOKEN_CLASSIFICATION_MAPPING_NAMES
    if kind not in known:  # transformers has none: as others write it by hand
        model = AutoModelForSequenceClassification.from_pretrained(name, num_labels=2)
    else:
        model = AutoModelForTokenClassification.from_pretrained(name, num_labels=2)
    head = next(part for key, part in model.named_modules() if key in ("score", "classifier"))
    torch.nn.init.normal_(head.weight)
    if head.bias is not None:
        torch.nn.init.normal_(head.bias)
    tiny_tokenizer().save_pretrained(tmp_path / "backbone")
    return cast(PreTrainedModel, model.eval())


def token_probabilities(model: Any) -> torch.Tensor:
    """Also of models that classify whole sequences: their head at each token."""
    inner = model.get_base_model() if isinstance(model, peft.PeftModel) else model
    with torch.no_grad():
        hidden = getattr(inner, inner.base_model_prefix)(input_ids=IDS).last_hidden_state
        head = inner.score if hasattr(inner, "score") else inner.classifier
        probabilities: torch.Tensor = head(hidden).softmax(-1)[0, ENDS[0], 1]
    return probabilities


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("kind", KINDS)
def test_a_prm_of_trl_on_any_architecture_keeps_its_scores(kind: str, tmp_path: Path) -> None:
    model = token_classifier(kind, tmp_path)
    model.save_pretrained(tmp_path / "trl")
    tiny_tokenizer().save_pretrained(tmp_path / "trl")
    assert import_prm(str(tmp_path / "trl"), tmp_path / "ours", META) == "token-classification"
    torch.testing.assert_close(scores(tmp_path / "ours"), token_probabilities(model), atol=1e-5, rtol=0)


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore")
def test_an_adapter_on_any_architecture_is_merged(kind: str, tmp_path: Path) -> None:
    model = token_classifier(kind, tmp_path)
    targets = {"gpt2": ["c_attn", "c_fc"], "gpt_neox": ["query_key_value"], "falcon": ["query_key_value"]}.get(
        kind, ["o_proj"]
    )
    stacks = ["mlp.experts.down_proj"] if kind not in ("gpt2", "gpt_neox", "falcon") else None
    config = peft.LoraConfig(
        task_type="TOKEN_CLS", r=4, target_modules=targets, target_parameters=stacks, init_lora_weights=False
    )
    adapted = peft.get_peft_model(model, config).eval()
    expected = token_probabilities(adapted)
    adapted.save_pretrained(tmp_path / "adapter")
    merge_adapter(tmp_path / "adapter", tmp_path / "ours", META, base=str(tmp_path / "backbone"))
    torch.testing.assert_close(scores(tmp_path / "ours"), expected, atol=1e-5, rtol=0)


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("way", ["saved whole", "modules_to_save", "single tokens"])
@pytest.mark.filterwarnings("ignore")
def test_tokens_that_were_added_come_with_the_adapter(classifier: tuple[Path, Any], tmp_path: Path, way: str) -> None:
    _, model = classifier
    tokenizer = tiny_tokenizer()
    old = len(tokenizer)
    fields: dict[str, Any] = {}
    if way == "single tokens":
        fields["trainable_token_indices"] = {"embed_tokens": [7, 8]}
    else:
        tokenizer.add_special_tokens({"additional_special_tokens": ["<step>", "<sol>"]})
        model.resize_token_embeddings(old + 2, mean_resizing=False)
        fields["modules_to_save"] = ["embed_tokens"] if way == "modules_to_save" else None
    config = peft.LoraConfig(task_type="TOKEN_CLS", r=4, target_modules=["q_proj"], init_lora_weights=False, **fields)
    adapted = peft.get_peft_model(model, config).eval()
    for key, value in adapted.named_parameters():
        if "modules_to_save" in key or "trainable_tokens" in key:
            torch.nn.init.normal_(value)
    expected = probabilities(adapted)
    adapted.save_pretrained(tmp_path / "adapter")
    tokenizer.save_pretrained(tmp_path / "adapter")
    meta = META
    if way != "single tokens":
        meta = META.model_copy(update={"format": StepFormat(template="bare", step_end="<step>")})
    merge_adapter(tmp_path / "adapter", tmp_path / "ours", meta, base=str(tmp_path / "backbone"))
    torch.testing.assert_close(scores(tmp_path / "ours"), expected, atol=1e-5, rtol=0)
    loaded = load_prm(tmp_path / "ours")
    assert len(loaded.encoder.tokenizer) == len(tokenizer)
    assert loaded.prm.model.config.vocab_size == len(tokenizer)


@pytest.mark.usefixtures("seeded")
@pytest.mark.parametrize("name", [name for name in HEAD_NAMES if name != "score"])
@pytest.mark.parametrize("around", ["{}", "base_model.model.{}", "base_model.model.{}.modules_to_save.default"])
def test_a_head_is_found_under_every_usual_name(
    classifier: tuple[Path, torch.nn.Module], tmp_path: Path, name: str, around: str
) -> None:
    """With one label and with two, in torch files too."""
    _, model = classifier
    config = peft.LoraConfig(task_type="TOKEN_CLS", r=4, target_modules=["q_proj"], init_lora_weights=False)
    adapted = peft.get_peft_model(model, config).eval()
    expected = probabilities(adapted)
    adapted.save_pretrained(tmp_path / "adapter")
    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    head = {key.rpartition(".")[2]: weights.pop(key) for key in list(weights) if ".score." in key}
    if name == "v_head":  # of one label
        head = {key: value[1:] - value[:1] for key, value in head.items()}
    weights |= {f"{around.format(name)}.{key}": value for key, value in head.items()}
    (tmp_path / "adapter" / "adapter_model.safetensors").unlink()
    torch.save(weights, tmp_path / "adapter" / "adapter_model.bin")
    merge_adapter(tmp_path / "adapter", tmp_path / "ours", META, base=str(tmp_path / "backbone"))
    torch.testing.assert_close(scores(tmp_path / "ours"), expected, atol=1e-5, rtol=0)


def test_the_head_may_be_that_of_the_model_beneath(classifier: tuple[Path, torch.nn.Module], tmp_path: Path) -> None:
    folder, model = classifier
    adapted = peft.get_peft_model(model, peft.LoraConfig(r=4, target_modules=["q_proj"], init_lora_weights=False))
    expected = probabilities(adapted)
    adapted.save_pretrained(tmp_path / "adapter")
    merge_adapter(tmp_path / "adapter", tmp_path / "ours", META, base=str(folder))
    torch.testing.assert_close(scores(tmp_path / "ours"), expected, atol=1e-5, rtol=0)


def test_an_adapter_of_three_labels_is_refused_by_their_number(
    classifier: tuple[Path, torch.nn.Module], tmp_path: Path
) -> None:
    model = AutoModelForTokenClassification.from_pretrained(tmp_path / "backbone", num_labels=3)
    config = peft.LoraConfig(task_type="TOKEN_CLS", r=4, target_modules=["q_proj"])
    peft.get_peft_model(model, config).save_pretrained(tmp_path / "adapter")
    with pytest.raises(InputError, match=r"the head score has another number of labels, got 3; expected 2 \(wrong"):
        merge_adapter(tmp_path / "adapter", tmp_path / "ours", META, base=str(tmp_path / "backbone"))
    assert not (tmp_path / "ours").exists()


def narrow(kind: str, folder: Path) -> str:
    """A language model of another architecture and of the width of ``tiny_backbone``."""
    sizes = {"n_embd": 32} if kind == "gpt2" else {"hidden_size": 32}
    tiny_lm(kind, **sizes).save_pretrained(folder)
    tiny_tokenizer().save_pretrained(folder)
    return str(folder)


@pytest.mark.filterwarnings("ignore")
def test_an_adapter_of_another_model_is_refused(classifier: tuple[Path, torch.nn.Module], tmp_path: Path) -> None:
    _, model = classifier
    config = peft.LoraConfig(task_type="TOKEN_CLS", r=4, target_modules=["q_proj"])
    peft.get_peft_model(model, config).save_pretrained(tmp_path / "adapter")
    other = tiny_backbone(tmp_path / "other", heads=4)
    merge_adapter(tmp_path / "adapter", tmp_path / "fits", META, base=other)  # of the same shapes
    for kind in ("gpt2", "gpt_neox"):
        with pytest.raises(InputError, match=r"the adapter does not fit the language model beneath.* --base"):
            merge_adapter(tmp_path / "adapter", tmp_path / "no", META, base=narrow(kind, tmp_path / kind))
    weights = load_file(tmp_path / "adapter" / "adapter_model.safetensors")
    weights["base_model.model.model.layers.7.self_attn.q_proj.lora_A.weight"] = torch.zeros(4, 32)
    save_file(weights, tmp_path / "adapter" / "adapter_model.safetensors")
    with pytest.raises(InputError, match=r"does not fit .* got 'no place for .*layers\.7"):
        merge_adapter(tmp_path / "adapter", tmp_path / "no", META, base=str(tmp_path / "backbone"))


@pytest.mark.parametrize(
    "targets",
    [
        [f"model.layers.{number}.self_attn.q_proj" for number in range(2)],
        r"model\.layers\.\d+\.mlp\.(up|down)_proj",
        ".*k_proj",
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_targets_may_be_named_from_the_top_or_by_an_expression(
    classifier: tuple[Path, torch.nn.Module], tmp_path: Path, targets: list[str] | str
) -> None:
    _, model = classifier
    config = peft.LoraConfig(task_type="TOKEN_CLS", r=4, target_modules=targets, init_lora_weights=False)
    adapted = peft.get_peft_model(model, config).eval()
    expected = probabilities(adapted)
    adapted.save_pretrained(tmp_path / "adapter")
    merge_adapter(tmp_path / "adapter", tmp_path / "ours", META, base=str(tmp_path / "backbone"))
    torch.testing.assert_close(scores(tmp_path / "ours"), expected, atol=1e-5, rtol=0)


@pytest.mark.usefixtures("seeded")
@pytest.mark.filterwarnings("ignore")
def test_an_adapter_of_single_experts_is_merged_into_their_stack(tmp_path: Path) -> None:
    """As transformers 4 had them: each expert a linear map of its own."""
    name = tiny_folder("mixtral", tmp_path / "backbone")
    base = load_file(tmp_path / "backbone" / "model.safetensors")
    held, expected = {"base_model.model.score.weight": torch.randn(2, 64)}, {}
    for key, value in base.items():
        if ".experts." in key:
            down, up = torch.randn(4, value.shape[1]), torch.randn(value.shape[0], 4)
            place = f"base_model.model.{key.removesuffix('.weight')}"
            held |= {f"{place}.lora_A.weight": down, f"{place}.lora_B.weight": up}
            expected[key] = value + 8 / 4 * up @ down
    settings = {"peft_type": "LORA", "task_type": "TOKEN_CLS", "r": 4, "lora_alpha": 8}
    settings |= {"target_modules": ["w1", "w2", "w3"], "base_model_name_or_path": name}
    (tmp_path / "adapter").mkdir()
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(settings))
    save_file(held, tmp_path / "adapter" / "adapter_model.safetensors")
    merge_adapter(tmp_path / "adapter", tmp_path / "ours", META)
    written = load_file(tmp_path / "ours" / "model.safetensors")
    assert len(expected) == 2 * 4 * 3
    for key, value in expected.items():
        torch.testing.assert_close(written[key], value, atol=1e-5, rtol=0)
