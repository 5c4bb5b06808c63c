import json
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.models.facts import inspect_model
from tests.tiny import tiny_backbone, tiny_bpe_tokenizer


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(tiny_backbone(tmp_path / "model", tokenizer=tiny_bpe_tokenizer(), vocab_size=320))


def test_the_facts_of_a_folder(folder: Path) -> None:
    facts = inspect_model(str(folder))
    # Embedding and head of 320 x 32 each, two layers and a norm.
    layer = 2 * 32 * 32 + 2 * 32 * 16 + 32 + 2 * 16 + 3 * 32 * 64 + 2 * 32
    assert facts.parameters == 2 * 320 * 32 + 2 * layer + 32
    assert 4 * facts.parameters < facts.bytes < 4 * facts.parameters + 10_000
    assert (facts.architecture, facts.dtype) == ("Qwen2ForCausalLM", "float32")
    assert (facts.context, facts.vocabulary, facts.chat_template) == (256, 320, False)
    assert facts.ends == ["<|im_end|>"]


def test_ends_are_those_of_the_generation_config_and_the_tokenizer(folder: Path) -> None:
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": [0, 2]}))
    assert inspect_model(str(folder)).ends == ["<|endoftext|>", "<|im_end|>"]
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": 0}))
    assert inspect_model(str(folder)).ends == ["<|endoftext|>", "<|im_end|>"]
    (folder / "generation_config.json").unlink()
    assert inspect_model(str(folder)).ends == ["<|im_end|>"]


def test_a_chat_template_is_seen(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    assert inspect_model(str(folder)).chat_template


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("empty", "nowhere"):
        with pytest.raises(InputError):
            inspect_model(str(tmp_path / name))
