from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.presets import PRESETS
from prmkit.yaml_io import dump_yaml, read_yaml


@pytest.mark.parametrize("layers", [(2, 1), (-1, 1), (1, 1), [3, 0]])
def test_layers_stand_in_order(layers: Any) -> None:
    with pytest.raises(ValidationError, match=r"layers: got \(.*\); expected 0 <= start < stop"):
        SimilarityConfig(layers=layers)


@pytest.mark.parametrize("layers", [[0, 1], (0, 1)])
def test_layers_are_a_range_however_a_recipe_writes_it(layers: Any) -> None:
    assert SimilarityConfig(layers=layers).layers == (0, 1)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"layers": "shallow"}, "Input should be 'deep'"),
        ({"layers": [1, 2, 3]}, "layers"),
        ({"layers": 4}, "layers"),
        ({"engine": "hook"}, "Input should be 'auto', 'loop', 'hooks', 'layersync', 'mean' or 'sketch'"),
        ({"preset": "wang2024"}, "Input should be 'paper', 'wang2025' or 'wang2025-code'"),
        ({"memory_gb": 2.0}, r"memory_gb\n  Extra inputs are not permitted"),
        ({"memory_gib": 0.0}, r"memory_gib\n  Input should be greater than 0"),
        ({"memory_gib": float("inf")}, r"memory_gib\n  Input should be a finite number"),
        ({"memory_gib": float("nan")}, r"memory_gib\n  Input should be"),
        ({"batch_tokens": 0}, r"batch_tokens\n  Input should be greater than 0"),
        ({"sketch_width": 0}, r"sketch_width\n  Input should be greater than 0"),
        ({"shard": "row"}, "Input should be 'layer' or 'rows'"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_key(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        SimilarityConfig(**fields)


def test_a_preset_sets_what_is_left_unsaid() -> None:
    config = SimilarityConfig(preset="wang2025", normalise="whole")
    assert (config.layers, config.normalise, config.target) == ("deep", "whole", "max_logit")
    # Also where what is said is that nothing shall be chosen.
    assert SimilarityConfig(preset="wang2025", layers=None).layers is None
    assert SimilarityConfig(preset=None).layers is None


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_its_values(name: Any) -> None:
    preset = SimilarityConfig(preset=name)
    assert preset.model_dump(exclude={"preset"}) == SimilarityConfig(**PRESETS[name].values).model_dump(
        exclude={"preset"}
    )
    assert preset.preset == name


@pytest.mark.parametrize("fields", [{}, {"preset": "wang2025-code"}, {"preset": "paper", "layers": (3, 5)}])
def test_a_run_file_replays_the_config(tmp_path: Path, fields: dict[str, Any]) -> None:
    config = SimilarityConfig(**fields)
    file = tmp_path / "run.yaml"
    file.write_text(dump_yaml(config.model_dump(mode="json")))
    assert SimilarityConfig(**read_yaml(file).values) == config


def test_a_recipe_that_is_no_mapping_is_refused() -> None:
    with pytest.raises(ValidationError, match="valid dictionary"):
        SimilarityConfig.model_validate("paper")
