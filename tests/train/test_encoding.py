from pathlib import Path

import pytest

from prmkit.models.config import ModelConfig
from prmkit.packing.format import StepFormat
from prmkit.packing.rows import RowShape
from prmkit.train.config import TrainConfig
from prmkit.train.encoding import encoder_of, shape_of
from tests.tiny import tiny_backbone


@pytest.mark.parametrize(
    ("config", "budget"),
    [
        ({"packing": "none"}, None),
        ({"packing": "sequence"}, None),
        ({"packing": "tree"}, 64),
        ({"packing": "tree", "pack_tokens": 128}, 128),
    ],
)
def test_only_trees_share_rows_within_the_budget(config: dict[str, object], budget: int | None) -> None:
    shape = shape_of(TrainConfig.model_validate({**config, "weighting": "rows"}), 64)
    assert shape == RowShape(max_length=64, weighting="rows", budget=budget)


def test_the_tokens_are_those_of_the_backbone_and_its_format(tmp_path: Path) -> None:
    encoder = encoder_of(ModelConfig(name=tiny_backbone(tmp_path), format=StepFormat(step_end="="), max_length=64))
    assert encoder.tokenizer.convert_ids_to_tokens(encoder.step_ids("1")) == ["1", "="]
