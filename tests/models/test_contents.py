import json
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from prmkit.models.config import NamedModel
from prmkit.models.contents import hashes_of, record_of
from tests.fake_hub import ReadableHub
from tests.tiny import tiny_backbone, tiny_bpe_tokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(tiny_backbone(tmp_path / "m", tokenizer=tiny_bpe_tokenizer()))


def changed(before: dict[str, str], folder: Path) -> set[str]:
    after = hashes_of(folder, "m")
    return {part for part in before.keys() | after.keys() if before.get(part) != after.get(part)}


def edit(file: Path, **values: object) -> None:
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def test_each_part_has_its_own_hash(folder: Path) -> None:
    before = hashes_of(folder, "m")
    assert set(before) == {"config", "generation config", "tokenizer", "weights"}
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][0] += 1e-3
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    assert changed(before, folder) == {"weights"}
    edit(folder / "config.json", rms_norm_eps=1e-5)
    edit(folder / "generation_config.json", top_k=7)
    assert changed(before, folder) == {"weights", "config", "generation config"}
    edit(folder / "tokenizer_config.json", model_max_length=3)
    assert changed(before, folder) == {"weights", "config", "generation config", "tokenizer"}


def test_a_template_is_a_part_wherever_it_stands(folder: Path) -> None:
    before = hashes_of(folder, "m")
    edit(folder / "tokenizer_config.json", chat_template="{{ messages }}")
    assert changed(before, folder) == {"chat template"}
    before = hashes_of(folder, "m")
    edit(folder / "tokenizer_config.json", chat_template="{{ messages[0] }}")
    assert changed(before, folder) == {"chat template"}
    before = hashes_of(folder, "m")
    (folder / "chat_template.jinja").write_text("{{ messages[1] }}")
    assert changed(before, folder) == {"chat template"}


def test_the_text_format_of_a_prm_and_an_adapter_are_parts(folder: Path) -> None:
    before = hashes_of(folder, "m")
    (folder / "prmkit.json").write_text("{}")
    (folder / "adapter_config.json").write_text("{}")
    assert changed(before, folder) == {"text format", "adapter"}


def test_what_decides_nothing_is_no_part(folder: Path) -> None:
    before = hashes_of(folder, "m")
    for name in ("README.md", "training_args.bin", "optimizer.bin", "trainer_state.json", "modeling_x.py", "a.log"):
        (folder / name).write_text("new")
    (folder / "pytorch_model.bin").write_text("not read beside safetensors")
    assert changed(before, folder) == set()
    (folder / "model.safetensors").unlink()
    assert changed(before, folder) == {"weights"}


def test_behind_a_server_the_weights_are_no_part(folder: Path) -> None:
    assert "weights" not in record_of(NamedModel("tokenizer", str(folder), weights=False))["sha256"]


def test_a_model_of_the_hub_has_its_commit_and_the_same_hashes_as_its_folder(folder: Path, hub: ReadableHub) -> None:
    commit = hub.put("org/name", folder, "main", "v1")
    record = record_of(NamedModel("policy", "org/name@v1"))
    assert record == {
        "role": "policy",
        "model": "org/name@v1",
        "commit": commit,
        "sha256": hashes_of(folder, "m"),
    }
    assert record_of(NamedModel("policy", str(folder)))["commit"] is None
