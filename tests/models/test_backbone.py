import json
from pathlib import Path

import pytest
from transformers import AutoConfig, BloomConfig, MambaConfig, Qwen2Config

from prmkit.errors import InputError
from prmkit.models.backbone import context_of, load_config, load_text_config, shown


def test_long_lists_of_keys_are_shortened() -> None:
    assert shown(list("abcdef")) == "a, b, c, d and 2 more"


def test_a_context_is_known_by_several_names_or_there_is_none() -> None:
    assert context_of(Qwen2Config(max_position_embeddings=64)) == 64
    assert context_of(AutoConfig.for_model("mpt", max_seq_len=32)) == 32
    assert context_of(MambaConfig()) is None
    assert context_of(BloomConfig()) is None


def test_of_a_model_that_reads_images_too_only_an_engine_elsewhere_takes_the_text(tmp_path: Path) -> None:
    config = {"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", "max_position_embeddings": 77}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert (load_text_config(str(tmp_path)).model_type, context_of(load_text_config(str(tmp_path)))) == (
        "gemma3_text",
        77,
    )
    with pytest.raises(InputError, match="gemma3 is a model that reads more than text"):
        load_config(str(tmp_path))


def test_how_attention_is_computed_is_no_part_of_a_config(tmp_path: Path) -> None:
    config = {"model_type": "qwen2", "attn_implementation": "org/kernel", "experts_implementation": "org/kernel"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    loaded = load_config(str(tmp_path))
    assert (loaded._attn_implementation, loaded._experts_implementation) == (None, None)
