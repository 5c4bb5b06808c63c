import pytest
import torch
from transformers import PreTrainedModel

from prmkit.similarity.patterns import doctor, engine
from tests.similarity.conftest import family


def test_ways_to_the_same_numbers_agree_in_float32(each_family: PreTrainedModel) -> None:
    found = doctor.examine(each_family, tokens=32)
    assert [check.name for check in found] == [
        "batched against alone",
        "layer by layer against alone",
        "padding",
        "eager attention",
    ]
    assert all(check.passed for check in found)
    assert each_family.config._attn_implementation == "sdpa"


def test_short_numbers_are_held_against_float32() -> None:
    found = doctor.examine(family("qwen2").to(torch.bfloat16), tokens=32)
    assert found[-1].name == "bfloat16 against float32"
    assert found[-1].found is not None
    assert 1e-5 < found[-1].found < 0.2


def test_an_engine_that_is_wrong_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(*arguments: object) -> object:
        for found in plain(*arguments):  # type: ignore[arg-type]
            yield type(found)(tile=found.tile, gram=found.gram**2, l1=found.l1)

    plain = engine.layersync_grams
    monkeypatch.setattr(engine, "layersync_grams", wrong)
    verdicts = {check.name: check.passed for check in doctor.examine(family("qwen2"), tokens=32)}
    assert verdicts == {
        "batched against alone": True,
        "layer by layer against alone": False,
        "padding": True,
        "eager attention": True,
    }
