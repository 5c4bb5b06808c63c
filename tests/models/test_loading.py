from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM
from transformers.utils import logging as transformers_logging

from prmkit.errors import InputError
from prmkit.models import loading as module
from prmkit.models.backbone import load_causal_lm
from prmkit.models.checkpoint import CheckpointMeta, load_prm, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.loading import described, loading, move
from prmkit.models.prm import PRM
from prmkit.packing.format import StepFormat
from prmkit.run.activity import Activity, current, watching
from tests.tiny import tiny_backbone, tiny_tokenizer


@pytest.fixture
def begun() -> Iterator[list[Activity]]:
    """What was said of by the process."""
    activities: list[Activity] = []

    @contextmanager
    def watch(activity: Activity) -> Iterator[None]:
        activities.append(activity)
        yield

    with watching(watch):
        yield activities


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (999, "999 bytes"),
        (1000, "1.0 kB"),
        (33_100, "33.1 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (15_231_233_024, "15.2 GB"),
        (1_341_000_000_000, "1.3 TB"),
    ],
)
def test_a_model_is_told_with_the_size_of_its_weights(tmp_path: Path, size: int, said: str) -> None:
    with (tmp_path / "model.safetensors").open("wb") as file:
        file.truncate(size)  # a hole, which takes no room
    assert described(str(tmp_path)) == f"{tmp_path} ({said} of safetensors)"


def test_of_several_forms_of_the_weights_one_is_counted(tmp_path: Path) -> None:
    parts = ("model-1-of-2.safetensors", "model-2-of-2.safetensors")
    for name in ("pytorch_model.bin", "consolidated.safetensors", *parts):
        (tmp_path / name).write_bytes(b"x" * 500)
    assert described(str(tmp_path)).endswith("(1.0 kB of safetensors)")
    for name in parts:
        (tmp_path / name).unlink()
    assert described(str(tmp_path)).endswith("(500 bytes of safetensors)")
    (tmp_path / "consolidated.safetensors").unlink()
    assert described(str(tmp_path)).endswith("(500 bytes of torch files)")
    (tmp_path / "pytorch_model.bin").unlink()
    assert described(str(tmp_path)) == str(tmp_path)


def test_a_model_of_the_hub_has_its_name_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "models--Qwen--Qwen2.5-7B-Instruct" / "snapshots" / "a1b2"
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(b"x" * 2500)
    (folder / "config.json").write_text("{}")
    (folder / "model-2.safetensors").symlink_to(tmp_path / "not fetched")
    expected = "Qwen/Qwen2.5-7B-Instruct (2.5 kB of safetensors)"
    assert described(str(folder)) == expected
    cache = {"Qwen/Qwen2.5-7B-Instruct": folder}
    monkeypatch.setattr(module, "cached_folder", lambda name, file: Path(name) if "--" in name else cache.get(name))
    assert described("Qwen/Qwen2.5-7B-Instruct") == expected
    assert described("Qwen/Qwen2.5-72B") == "Qwen/Qwen2.5-72B (to be fetched first)"


def test_each_load_says_what_it_loads_and_how_large_it_is(
    tmp_path: Path, begun: list[Activity], capfd: pytest.CaptureFixture[str]
) -> None:
    policy, prm = tiny_backbone(tmp_path / "policy"), tmp_path / "prm"
    made = PRM.from_backbone(policy, ModelConfig(name=policy, max_length=64))
    save_prm(made, tiny_tokenizer(), prm, CheckpointMeta(format=StepFormat(), label_source="human", max_length=64))
    capfd.readouterr()
    begun.clear()
    load_causal_lm(policy, device="cpu")
    load_prm(prm)
    assert [activity.what for activity in begun] == [f"loading {described(policy)}", f"loading {described(str(prm))}"]
    assert all("kB of safetensors)" in activity.what for activity in begun)
    # transformers reads a weight after the other: when it was last told, all but one were there.
    shares = [activity.share or 0.0 for activity in begun]
    assert all(0.9 < share < 1.0 for share in shares)
    assert capfd.readouterr() == ("", "")


def test_a_load_that_is_refused_is_over(tmp_path: Path, begun: list[Activity]) -> None:
    policy = tiny_backbone(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(InputError, match="the file of weights is cut off or damaged"):
        load_causal_lm(policy)
    (tmp_path / "model.safetensors").unlink()
    save_file({"model.embed_tokens.weight": torch.zeros(2, 2)}, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"the weights have other shapes than config\.json says"):
        load_causal_lm(policy)
    assert len(begun) == 1
    assert current() is None


def test_the_bars_of_transformers_are_kept_back_and_come_back(begun: list[Activity]) -> None:
    before = transformers_logging.get_verbosity()
    shown: list[int] = []

    def hook(bar, arguments, options):  # type: ignore[no-untyped-def]
        shown.append(1)
        return bar(*arguments, **options)

    transformers_logging.set_tqdm_hook(hook)
    try:
        with loading("m"):
            assert not transformers_logging.is_progress_bar_enabled()
            seen = [(item, begun[0].share) for item in transformers_logging.tqdm({"a": 1, "b": 2}.items(), desc="x")]
            assert seen == [(("a", 1), 0.0), (("b", 2), 0.5)]
            transformers_logging.tqdm(total=3).update(1)  # a bar of another kind tells nothing
            assert begun[0].share == 0.5
        assert transformers_logging.is_progress_bar_enabled()
        assert transformers_logging.get_verbosity() == before
        assert shown == []
        assert list(transformers_logging.tqdm([1], disable=True)) == [1]
        assert shown == [1]
    finally:
        transformers_logging.set_tqdm_hook(None)


def test_a_move_to_another_device_says_how_far_it_is(tmp_path: Path, begun: list[Activity]) -> None:
    name = tiny_backbone(tmp_path)
    model = torch.nn.Sequential(torch.nn.Linear(3, 1, bias=False), torch.nn.Linear(1, 1, bias=False))
    move(model, "cpu", name)
    assert begun == []  # it is there
    move(model, "meta", name)
    assert [activity.what for activity in begun] == [f"moving {described(name)} to meta"]
    assert begun[0].share == 0.75  # before the last layer, three of four numbers had moved
    whole = AutoModelForCausalLM.from_pretrained(name)
    move(whole, torch.device("meta"), name)
    assert {each.device.type for each in [*whole.parameters(), *whole.buffers()]} == {"meta"}
