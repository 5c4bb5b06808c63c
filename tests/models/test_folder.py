"""A small zoo of folders that are no models, through every loader: each ends in one line that names the cause."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForTokenClassification

from prmkit.errors import InputError
from prmkit.generate import GeneratorConfig
from prmkit.generate.transformers import load_generator
from prmkit.models.checkpoint import CheckpointMeta, inspect_checkpoint, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.facts import inspect_model
from prmkit.models.foreign.imports import import_prm, merge_adapter
from prmkit.models.prm import PRM
from prmkit.models.tokenizer import load_tokenizer
from prmkit.packing.format import StepFormat
from prmkit.score import PrmConfig, load_engine
from tests.tiny import tiny_backbone, tiny_tokenizer

META = CheckpointMeta(format=StepFormat(), label_source="human", max_length=64)


class Fault(NamedTuple):
    """What is done to a good folder, what is said of it, and whether it shows where the weights are not needed."""

    spoil: Callable[[Path], object]
    said: str
    early: bool = True


def config(**changes: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        file = folder / "config.json"
        kept = {key: value for key, value in json.loads(file.read_text()).items() if changes.get(key, 0) is not None}
        file.write_text(json.dumps(kept | {key: value for key, value in changes.items() if value is not None}))

    return spoil


def quantised(method: str) -> Callable[[Path], None]:
    return config(quantization_config={"quant_method": method, "bits": 4})


def replaced(*content: tuple[str, bytes], keep: str = "") -> Callable[[Path], None]:
    """The folder with nothing else but these files, and those that match ``keep``."""

    def spoil(folder: Path) -> None:
        for file in folder.iterdir():
            if not (keep and file.match(keep)):
                file.unlink()
        for name, data in content:
            (folder / name).write_bytes(data)

    return spoil


def shortened(name: str, size: int) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:size])


def without_a_shard(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "model-00001-of-00002.safetensors")
    placed = {key: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, key in enumerate(weights)}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"metadata": {}, "weight_map": placed}))


def as_pointer(name: str) -> Callable[[Path], None]:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 988097824\n"
    return lambda folder: (folder / name).write_bytes(pointer)


def newer_tokenizer(folder: Path) -> None:
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text())
    content["model"] = {"type": "BPE3", "vocab": content["model"]["vocab"]}
    file.write_text(json.dumps(content))


CODE = {"AutoConfig": "configuration_new.NewConfig", "AutoModelForCausalLM": "modeling_new.NewForCausalLM"}
ADAPTER = b'{"base_model_name_or_path": "org/base", "peft_type": "LORA", "r": 4}'

FAULTS = {
    "empty": Fault(replaced(), "the folder is empty"),
    "readme alone": Fault(replaced(("README.md", b"hi")), r"the folder is not a model; expected a folder with config"),
    "gguf alone": Fault(replaced(("m.gguf", b"GGUF")), r"as GGUF alone, .* prmkit models import m\.gguf --out FOLDER"),
    "adapter alone": Fault(
        replaced(("adapter_config.json", ADAPTER), ("adapter_model.safetensors", b"x"), keep="tokenizer*"),
        r"an adapter without the model that it adapts; .* Merge it first",
    ),
    "adapter that imports": Fault(
        lambda folder: (folder / "adapter_config.json").write_text('{"megatron_config": {"a": 1}}'),
        "the adapter names a module to be imported, which is never done",
    ),
    "config cut off": Fault(shortened("config.json", 40), "config.json: the file is no JSON .* Copy or download it"),
    "config is a list": Fault(replaced(("config.json", b"[]")), "the file holds no JSON object"),
    "config is a pointer": Fault(as_pointer("config.json"), "a pointer of Git LFS .* Run `git lfs pull`"),
    "config names nothing": Fault(config(model_type=None), "config.json does not say which architecture"),
    "config of other types": Fault(
        config(hidden_size="wide"), r"the config cannot be loaded \(.*hidden_size", early=False
    ),
    "code": Fault(config(model_type="new", auto_map=CODE), "code that comes with its weights, which is never run"),
    "newer architecture": Fault(config(model_type="qwen9"), r"transformers [\d.]+ does not know this .* Upgrade trans"),
    **{
        method: Fault(quantised(method), rf"the weights are quantised \({shown}\).* Name the unquantised .*vLLM", False)
        for method, shown in {
            "awq": "AWQ",
            "gptq": "GPTQ",
            "compressed-tensors": "compressed-tensors",
            "bitsandbytes": "bitsandbytes",
            "fp8": "FP8",
            "mxfp4": "MXFP4",
            "new": "new",
        }.items()
    },
    "missing shard": Fault(
        without_a_shard, r"weights are missing, got 'no model-00002-of-00002\.safetensors'.* Copy or download", False
    ),
    "weights are a pointer": Fault(as_pointer("model.safetensors"), "model.safetensors: a pointer of Git LFS", False),
    "weights cut off": Fault(
        shortened("model.safetensors", 5000), "model.safetensors: the file of weights is cut", False
    ),
    "no weights": Fault(lambda folder: (folder / "model.safetensors").unlink(), "the folder holds no weights", False),
    "t5": Fault(config(model_type="t5"), "t5 is an encoder with a decoder, not a causal"),
    "bert": Fault(config(model_type="bert"), "bert is an encoder, which reads a text from both sides"),
    "vit": Fault(config(model_type="vit"), "vit is a model of another kind, not a causal"),
    **{
        kind: Fault(config(model_type=kind, rope_parameters=None), f"{kind} is a model that reads more than text")
        for kind in ("gemma3", "qwen2_5_vl", "llama4", "mistral3")
    },
    "newer tokenizer": Fault(newer_tokenizer, r"tokenizers [\d.]+ cannot read the tokenizer\.json .* upgrade tok"),
    "tokenizer cut off": Fault(shortened("tokenizer.json", 500), r"tokenizer\.json: the file is no JSON"),
    "tokenizer is a pointer": Fault(as_pointer("tokenizer.json"), r"tokenizer\.json: a pointer of Git LFS"),
}


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    policy, prm = (tmp_path_factory.mktemp(name) for name in ("policy", "prm"))
    name = tiny_backbone(policy)
    shutil.rmtree(prm)
    save_prm(PRM.from_backbone(name, ModelConfig(name=name, max_length=64)), tiny_tokenizer(), prm, META)
    return {"policy": policy, "prm": prm}


@pytest.fixture(params=list(FAULTS))
def fault(request: pytest.FixtureRequest) -> Fault:
    return FAULTS[request.param]


def spoiled(folder: Path, fault: Fault, out: Path) -> str:
    shutil.copytree(folder, out)
    fault.spoil(out)
    return str(out)


def test_a_backbone_to_be_trained(good: dict[str, Path], fault: Fault, tmp_path: Path) -> None:
    name = spoiled(good["policy"], fault, tmp_path / "m")
    with pytest.raises(InputError, match=fault.said):
        PRM.from_backbone(name, ModelConfig(name=name, max_length=64))


def test_a_backbone_whose_weights_stay_in_their_files(good: dict[str, Path], fault: Fault, tmp_path: Path) -> None:
    name = spoiled(good["policy"], fault, tmp_path / "m")
    with pytest.raises(InputError, match=fault.said):
        PRM.skeleton(name, ModelConfig(name=name, max_length=64))


def test_a_policy(good: dict[str, Path], fault: Fault, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=fault.said):
        load_generator(GeneratorConfig(name=spoiled(good["policy"], fault, tmp_path / "m"), device="cpu"))


@pytest.mark.parametrize("adapter", [None, "trl", "qwen-math-prm"])
def test_a_prm(good: dict[str, Path], fault: Fault, tmp_path: Path, adapter: Any) -> None:
    name = spoiled(good["prm"], fault, tmp_path / "m")
    with pytest.raises(InputError, match=fault.said):
        load_engine(PrmConfig(checkpoint=name, adapter=adapter, device="cpu"))


def test_a_checkpoint_that_is_looked_at(good: dict[str, Path], fault: Fault, tmp_path: Path) -> None:
    name = spoiled(good["prm"], fault, tmp_path / "m")
    with pytest.raises(InputError, match=fault.said):
        inspect_checkpoint(name)


def test_someone_elses_prm(good: dict[str, Path], fault: Fault, tmp_path: Path) -> None:
    name = spoiled(good["policy"], fault, tmp_path / "m")
    with pytest.raises(InputError, match=fault.said):
        import_prm(name, tmp_path / "out", META)
    assert not (tmp_path / "out").exists()


def test_the_model_beneath_an_adapter(good: dict[str, Path], fault: Fault, tmp_path: Path) -> None:
    name = spoiled(good["policy"], fault, tmp_path / "m")
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_config.json").write_bytes(ADAPTER)
    save_file({"base_model.model.score.weight": torch.zeros(2, 32)}, adapter / "adapter_model.safetensors")
    with pytest.raises(InputError, match=fault.said):
        merge_adapter(adapter, tmp_path / "out", META, base=name)


def test_a_tokenizer(good: dict[str, Path], tmp_path: Path) -> None:
    for kind, fault in FAULTS.items():
        name = spoiled(good["policy"], fault, tmp_path / kind)
        alone = kind in ("empty", "readme alone", "gguf alone", "adapter alone", "adapter that imports")
        if alone or "okenizer" in kind or kind in ("config cut off", "config is a list", "config is a pointer"):
            with pytest.raises(InputError, match=fault.said):
                load_tokenizer(name)
        else:  # it does not depend on what the weights or the architecture are
            assert len(load_tokenizer(name)) > 40


def test_what_a_model_is_can_be_told_of_more_than_can_be_loaded(good: dict[str, Path], tmp_path: Path) -> None:
    for kind, fault in FAULTS.items():
        name = spoiled(good["policy"], fault, tmp_path / kind)
        if fault.early:
            with pytest.raises(InputError, match=fault.said):
                inspect_model(name)
    assert inspect_model(spoiled(good["policy"], FAULTS["awq"], tmp_path / "shown")).architecture == "Qwen2ForCausalLM"


def adapter_of(folder: Path, base: Path, *, labels: int = 2, **changes: Any) -> Path:
    """A LoRA adapter of a token classifier on the base, as TRL's PRMTrainer saves it."""
    model = AutoModelForTokenClassification.from_pretrained(base, num_labels=labels)
    lora = LoraConfig(task_type="TOKEN_CLS", r=2, target_modules=["q_proj"], modules_to_save=["score"])
    get_peft_model(model, lora).save_pretrained(folder)
    file = folder / "adapter_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    return folder


ADAPTERS: dict[str, tuple[dict[str, Any], Callable[[Path], object], str]] = {
    "three labels": ({"labels": 3}, lambda folder: None, "another number of labels, got 3"),
    "newer kind": ({"peft_type": "LORA9"}, lambda folder: None, "the adapter cannot be loaded"),
    "no base": ({"base_model_name_or_path": None}, lambda folder: None, "does not say which model it adapts"),
    "gone base": ({"base_model_name_or_path": "/gone"}, lambda folder: None, "/gone: no such folder"),
    "cut off": ({}, shortened("adapter_model.safetensors", 300), "the file of weights is cut off"),
    "pointer": ({}, as_pointer("adapter_model.safetensors"), "a pointer of Git LFS"),
    "no JSON": ({}, shortened("adapter_config.json", 30), "adapter_config.json: the file is no JSON"),
    "torch file": ({}, lambda folder: (folder / "adapter_model.safetensors").unlink(), "has no adapter_model.safetens"),
    "imports": ({"megatron_config": {"a": 1}}, lambda folder: None, "names a module to be imported"),
}


@pytest.mark.parametrize("kind", ADAPTERS)
def test_an_adapter_that_cannot_be_merged(good: dict[str, Path], kind: str, tmp_path: Path) -> None:
    made, spoil, said = ADAPTERS[kind]
    adapter = adapter_of(tmp_path / "adapter", good["policy"], **made)
    spoil(adapter)
    with pytest.raises(InputError, match=said):
        merge_adapter(adapter, tmp_path / "out", META)
    assert not (tmp_path / "out").exists()
