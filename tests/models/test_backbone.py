import json
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.models.backbone import load_config, load_text_config, shown


def test_long_lists_of_keys_are_shortened() -> None:
    assert shown(list("abcdef")) == "a, b, c, d and 2 more"


def test_of_a_model_that_reads_images_too_only_an_engine_elsewhere_takes_the_text(tmp_path: Path) -> None:
    config = {"model_type": "gemma3", "text_config": {"model_type": "gemma3_text", "max_position_embeddings": 77}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    text = load_text_config(str(tmp_path))
    assert (text.model_type, text.max_position_embeddings) == ("gemma3_text", 77)
    with pytest.raises(InputError, match="gemma3 is a model that reads more than text"):
        load_config(str(tmp_path))


def test_how_attention_is_computed_is_no_part_of_a_config(tmp_path: Path) -> None:
    config = {"model_type": "qwen2", "attn_implementation": "org/kernel", "experts_implementation": "org/kernel"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    loaded = load_config(str(tmp_path))
    assert (loaded._attn_implementation, loaded._experts_implementation) == (None, None)
