import copy
import errno
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, get_peft_model, inject_adapter_in_model
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedTokenizerBase
from transformers.pytorch_utils import Conv1D

from prmkit.errors import InputError, RunError
from prmkit.models import saving
from prmkit.models.checkpoint import CheckpointMeta, load_prm, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.models.saving import Weights, merged_weights, whole_weights, write_folder, write_model
from prmkit.packing.format import StepFormat
from tests.tiny import tiny_backbone, tiny_tokenizer
from tests.zoo import tiny_folder

TOKENIZER = tiny_tokenizer()
META = CheckpointMeta(format=StepFormat(), label_source="human", max_length=64)
INDEX = "model.safetensors.index.json"


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_backbone(tmp_path_factory.mktemp("backbone"))


@pytest.fixture
def prm(backbone: str) -> PRM:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return PRM.from_backbone(backbone, ModelConfig(name=backbone, max_length=64)).eval()


def write(
    prm: PRM,
    folder: Path,
    *,
    weights: Weights | None = None,
    tokenizer: PreTrainedTokenizerBase = TOKENIZER,
    **texts: str,
) -> None:
    """Write a PRM, or weights that no model has."""
    if weights is None:
        write_folder(
            folder,
            weights=whole_weights(prm),
            backbone=prm.model,
            tokenizer=tokenizer,
            kind="RewardModel",
            labels=1,
            texts=texts,
        )
    else:
        config = copy.deepcopy(prm.model.config)
        write_model(folder, weights=weights, config=config, tokenizer=tokenizer, texts=texts)


def named(**sizes: int) -> list[tuple[str, Tensor]]:
    """Tensors of so many bytes, each of its own value."""
    return [(name, torch.full((size // 4,), float(index))) for index, (name, size) in enumerate(sizes.items())]


def stored(folder: Path) -> dict[str, Tensor]:
    return {key: value for file in sorted(folder.glob("*.safetensors")) for key, value in load_file(file).items()}


def test_every_weight_is_written_once_under_its_own_name(prm: PRM, tmp_path: Path) -> None:
    write(prm, tmp_path / "prm")
    written = stored(tmp_path / "prm")
    assert written.keys() == prm.state_dict().keys()
    assert all(torch.equal(written[key], value) for key, value in prm.state_dict().items())


def test_config_tokenizer_and_texts_stand_beside_the_weights(prm: PRM, tmp_path: Path) -> None:
    write(prm, tmp_path / "a" / "b" / "prm", **{"notes.txt": "die Lösung\n"})
    folder = tmp_path / "a" / "b" / "prm"  # folders above it are made
    config = json.loads((folder / "config.json").read_text())
    assert (config["architectures"], config["dtype"]) == (["Qwen2ForRewardModel"], "float32")
    assert (folder / "notes.txt").read_bytes() == "die Lösung\n".encode()
    assert (folder / "tokenizer.json").is_file()
    assert not (folder / INDEX).exists()
    assert sorted(path.name for path in folder.parent.iterdir()) == ["prm"]


def test_saving_changes_nothing_of_the_model(prm: PRM, tmp_path: Path) -> None:
    prm.model.config.quantization_config = {"quant_method": "bitsandbytes"}
    before, weights = copy.deepcopy(prm.model.config.to_dict()), copy.deepcopy(prm.state_dict())
    write(prm, tmp_path / "prm")
    assert prm.model.config.to_dict() == before
    assert all(torch.equal(weights[key], value) for key, value in prm.state_dict().items())
    # What is written is whole again.
    assert "quantization_config" not in json.loads((tmp_path / "prm" / "config.json").read_text())


def test_the_type_is_that_of_the_head(prm: PRM, tmp_path: Path) -> None:
    write(prm.to(torch.bfloat16), tmp_path / "half")
    assert json.loads((tmp_path / "half" / "config.json").read_text())["dtype"] == "bfloat16"
    prm.model.to(torch.float32)
    write(prm, tmp_path / "mixed", weights=whole_weights(prm))
    assert json.loads((tmp_path / "mixed" / "config.json").read_text())["dtype"] == "bfloat16"


@pytest.mark.parametrize(
    ("limit", "files"),
    [
        (1000, [["a", "b", "c", "d"]]),
        (400, [["a", "b", "c", "d"]]),
        (399, [["a", "b", "c"], ["d"]]),
        (359, [["a", "b"], ["c", "d"]]),
        (200, [["a"], ["b"], ["c", "d"]]),
        (1, [["a"], ["b"], ["c"], ["d"]]),  # one tensor is never parted
    ],
)
def test_files_are_filled_up_to_their_limit_in_the_order_of_the_weights(
    prm: PRM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int, files: list[list[str]]
) -> None:
    monkeypatch.setattr(saving, "_SHARD_BYTES", limit)
    weights = named(a=80, b=200, c=80, d=40)
    write(prm, tmp_path / "prm", weights=iter(weights))
    assert {key: value.tolist() for key, value in stored(tmp_path / "prm").items()} == {
        key: value.tolist() for key, value in weights
    }
    if len(files) == 1:
        assert not (tmp_path / "prm" / INDEX).exists()
        return
    names = [f"model-{number:05d}-of-{len(files):05d}.safetensors" for number in range(1, len(files) + 1)]
    index = json.loads((tmp_path / "prm" / INDEX).read_text())
    assert index["metadata"] == {"total_size": 400}
    assert index["weight_map"] == {key: name for name, keys in zip(names, files, strict=True) for key in keys}
    for name, keys in zip(names, files, strict=True):
        assert sorted(load_file(tmp_path / "prm" / name)) == keys


def test_a_model_without_a_head_has_the_type_of_its_first_weight(prm: PRM, tmp_path: Path) -> None:
    weights = [("a", torch.ones(2, dtype=torch.bfloat16)), ("b", torch.ones(2))]
    config = copy.deepcopy(prm.model.config)
    write_model(tmp_path / "lm", weights=weights, config=config, tokenizer=TOKENIZER, texts={})
    assert json.loads((tmp_path / "lm" / "config.json").read_text())["dtype"] == "bfloat16"


def test_a_folder_is_never_written_over(prm: PRM, tmp_path: Path) -> None:
    (tmp_path / "prm").mkdir()
    (tmp_path / "prm" / "mine").write_text("mine")
    with pytest.raises(InputError, match=r"prm: the folder exists\. Choose another name or remove it"):
        write(prm, tmp_path / "prm")
    assert [path.name for path in tmp_path.rglob("*")] == ["prm", "mine"]


def test_nor_is_one_that_came_while_it_was_written(prm: PRM, tmp_path: Path) -> None:
    def slow() -> Iterator[tuple[str, Tensor]]:
        yield from named(a=8)
        (tmp_path / "prm").mkdir()

    with pytest.raises(InputError, match="the folder exists"):
        write(prm, tmp_path / "prm", weights=slow())
    assert [path.name for path in tmp_path.rglob("*")] == ["prm"]


@pytest.mark.parametrize("error", [RuntimeError("a device is lost"), KeyboardInterrupt()])
def test_a_save_that_ends_halfway_leaves_nothing(
    prm: PRM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    monkeypatch.setattr(saving, "_SHARD_BYTES", 1)

    def lost() -> Iterator[tuple[str, Tensor]]:
        yield from named(a=8, b=8)  # the first one is in its file by now
        raise error

    with pytest.raises(type(error)):
        write(prm, tmp_path / "prm", weights=lost())
    assert list(tmp_path.iterdir()) == []


def test_a_failure_behind_the_weights_leaves_nothing_either(prm: PRM, tmp_path: Path) -> None:
    class Broken:
        def save_pretrained(self, folder: Path) -> None:
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        write(prm, tmp_path / "prm", tokenizer=Broken())  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Let no file grow beyond this size, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_the_operating_system_refuses_looks_like_it_and_leaves_nothing(prm: PRM, tmp_path: Path) -> None:
    with pytest.raises(OSError, match="prm") as error, room_for(8192):
        write(prm, tmp_path / "prm")
    assert (error.value.errno, error.value.filename) == (errno.EFBIG, str(tmp_path / "prm"))
    assert list(tmp_path.iterdir()) == []
    write(prm, tmp_path / "prm")  # there is room again


@pytest.mark.parametrize(
    ("said", "number"),
    [
        ("Error while serializing: I/O error: No space left on device (os error 28)", errno.ENOSPC),
        ("Error while serializing: I/O error: Disk quota exceeded (os error 122)", errno.EDQUOT),
    ],
)
def test_a_full_disk_looks_like_one(
    prm: PRM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, number: int
) -> None:
    def full(*_: object, **__: object) -> None:
        raise SafetensorError(said)

    monkeypatch.setattr(saving, "save_file", full)
    with pytest.raises(OSError, match=os.strerror(number)) as error:
        write(prm, tmp_path / "prm")
    assert error.value.errno == number
    assert list(tmp_path.iterdir()) == []


def test_another_fault_of_the_weights_is_raised_as_it_is(
    prm: PRM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise SafetensorError("invalid dtype")

    monkeypatch.setattr(saving, "save_file", refuse)
    with pytest.raises(SafetensorError, match="invalid dtype"):
        write(prm, tmp_path / "prm")
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_is_in_nobodys_way(prm: PRM, tmp_path: Path) -> None:
    left = tmp_path / "prm.partial"
    left.mkdir()
    (left / "model-00007-of-00009.safetensors").write_bytes(b"half")
    write(prm, tmp_path / "prm")
    assert stored(tmp_path / "prm").keys() == prm.state_dict().keys()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["prm"]


@pytest.mark.parametrize(("rank", "writes"), [(0, True), (1, False)])
def test_every_process_gathers_the_weights_and_the_first_one_writes(
    prm: PRM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: int, writes: bool
) -> None:
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: rank)
    gathered: list[str] = []

    def gather() -> Iterator[tuple[str, Tensor]]:
        for name, value in whole_weights(prm):
            gathered.append(name)
            yield name, value

    kept = {"backbone": prm.model, "tokenizer": TOKENIZER, "kind": "RewardModel", "labels": 1, "texts": {}}
    write_folder(tmp_path / "prm", weights=gather(), **kept)  # type: ignore[arg-type]
    assert set(gathered) == prm.state_dict().keys()
    assert [path.name for path in tmp_path.iterdir()] == ["prm"] * writes


def test_weights_own_their_memory_and_lie_in_order() -> None:
    """As safetensors wants them: no views of longer buffers, such as gathered weights with their padding."""
    part, turned, plain = torch.arange(9.0)[2:5], torch.arange(6.0).reshape(2, 3).T, torch.arange(4.0)
    module = nn.Module()
    for name, value in (("part", part), ("turned", turned), ("plain", plain)):
        module.register_parameter(name, nn.Parameter(value))
    found = dict(merged_weights(module))
    assert {name: value.tolist() for name, value in found.items()} == {
        "part": [2, 3, 4],
        "turned": [[0, 3], [1, 4], [2, 5]],
        "plain": [0, 1, 2, 3],
    }
    for value in found.values():
        assert value.is_contiguous()
        assert value.untyped_storage().nbytes() == value.nbytes
        assert not value.requires_grad


def test_an_adapter_is_added_to_its_weight_and_the_rest_is_left(prm: PRM) -> None:
    plain = {key: value.clone() for key, value in prm.state_dict().items()}
    config = LoraConfig(r=2, lora_alpha=6, target_modules=["q_proj"])
    inject_adapter_in_model(config, prm.model)  # type: ignore[arg-type]
    adapters: dict[str, Any] = {name: part for name, part in prm.named_modules() if hasattr(part, "lora_A")}
    assert len(adapters) == 2  # one a layer
    expected = dict(plain)
    for name, part in adapters.items():
        down, up = part.lora_A["default"].weight, part.lora_B["default"].weight
        with torch.no_grad():
            up.copy_(torch.arange(up.numel()).reshape(up.shape) / 100)
        expected[f"{name}.weight"] = plain[f"{name}.weight"] + 6 / 2 * up @ down
    found = dict(whole_weights(prm))
    assert found.keys() == plain.keys()
    for key, value in found.items():
        torch.testing.assert_close(value, expected[key], atol=1e-6, rtol=0)
    changed = {key for key in plain if not torch.equal(found[key], plain[key])}
    assert changed == {f"{name}.weight" for name in adapters}


def test_a_type_that_reading_would_round_is_refused_and_nothing_is_left(prm: PRM, tmp_path: Path) -> None:
    prm.score.to(torch.bfloat16)
    with pytest.raises(RunError, match=r"embed_tokens.weight in float32, which reading rounds to bfloat16"):
        write(prm, tmp_path / "prm")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["gpt2", "gpt_neox", "mixtral", "qwen3_moe", "glm4_moe", "deepseek_v3", "gpt_oss"])
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_what_is_written_of_any_architecture_is_read_back_bit_by_bit(tmp_path: Path, kind: str, dtype: str) -> None:
    name = tiny_folder(kind, tmp_path / "backbone")
    prm = PRM.from_backbone(name, ModelConfig(name=name, max_length=64, dtype=dtype)).eval()  # type: ignore[arg-type]
    save_prm(prm, TOKENIZER, tmp_path / "prm", META)
    back = load_prm(tmp_path / "prm").prm
    plain = AutoModel.from_pretrained(tmp_path / "prm")
    for key, value in prm.model.state_dict().items():
        for read in (back.model, plain):
            assert read.state_dict()[key].dtype == value.dtype, key
            assert torch.equal(read.state_dict()[key], value), key
    ids, ends = torch.tensor([[5, 6, 7, 3, 8, 9, 3]]), torch.tensor([[3, 6]])
    with torch.no_grad():
        assert torch.equal(back(ids, torch.ones_like(ids), ends), prm(ids, torch.ones_like(ids), ends))


def test_a_buffer_keeps_its_own_type(tmp_path: Path) -> None:
    name = tiny_folder("deepseek_v3", tmp_path / "backbone")
    prm = PRM.from_backbone(name, ModelConfig(name=name, max_length=64, dtype="bfloat16"))
    write(prm, tmp_path / "prm")
    written = stored(tmp_path / "prm")
    assert written["model.layers.1.mlp.gate.e_score_correction_bias"].dtype == torch.float32
    assert written["model.layers.1.mlp.experts.3.down_proj.weight"].dtype == torch.bfloat16


def test_a_buffer_that_is_forgotten_is_missed(tmp_path: Path) -> None:
    name = tiny_folder("deepseek_v3", tmp_path / "backbone")
    prm = PRM.from_backbone(name, ModelConfig(name=name, max_length=64))
    kept = [(key, value) for key, value in whole_weights(prm) if "correction" not in key]
    with pytest.raises(RunError, match=r"cannot be read again as it was written: no layers\.1.*e_score_"):
        write_folder(
            tmp_path / "prm",
            weights=kept,
            backbone=prm.model,
            tokenizer=TOKENIZER,
            kind="RewardModel",
            labels=1,
            texts={},
        )
    assert not (tmp_path / "prm").exists()


def test_weights_that_modules_share_are_written_under_each_name(prm: PRM, tmp_path: Path) -> None:
    layers: Any = prm.model.layers
    layers[1].mlp.up_proj.weight = layers[0].mlp.up_proj.weight
    write(prm, tmp_path / "prm")
    written = stored(tmp_path / "prm")
    for number in (0, 1):
        assert torch.equal(written[f"model.layers.{number}.mlp.up_proj.weight"], layers[0].mlp.up_proj.weight)


class Plain(nn.Module):
    """One of each kind of part that peft adapts."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(6, 4)
        self.linear = nn.Linear(4, 5)
        self.turned = Conv1D(7, 4)  # GPT-2's: its weight is transposed
        self.experts = nn.Module()
        self.experts.stack = nn.Parameter(torch.randn(3, 4, 5))
        self.experts.other = nn.Parameter(torch.randn(3, 5, 4))
        self.register_buffer("counted", torch.arange(3))


@pytest.mark.parametrize(
    ("targets", "fields"),
    [
        (["words", "linear", "turned"], {}),
        (["words", "linear", "turned"], {"use_rslora": True}),
        (["words", "linear", "turned"], {"use_dora": True}),
        (["words", "linear"], {"target_parameters": ["experts.stack", "experts.other"]}),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.filterwarnings("ignore")
def test_each_kind_of_adapter_is_merged_as_peft_merges_it(
    targets: list[str], fields: dict[str, Any], dtype: torch.dtype
) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Plain().to(dtype)
        config = LoraConfig(r=2, lora_alpha=6, target_modules=targets, init_lora_weights=False, **fields)
        plain = set(model.state_dict())
        adapted = get_peft_model(model, config, autocast_adapter_dtype=False)
    before = {key: value.clone() for key, value in adapted.state_dict().items()}
    found = dict(merged_weights(adapted.base_model.model))
    assert all(torch.equal(value, before[key]) for key, value in adapted.state_dict().items())
    expected = copy.deepcopy(adapted).float().merge_and_unload().state_dict()
    assert found.keys() == plain == expected.keys()
    for key, value in found.items():
        assert value.dtype == (torch.int64 if key == "counted" else dtype)
        assert torch.equal(value, expected[key].to(value.dtype)), key
