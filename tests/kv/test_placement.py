from types import SimpleNamespace
from typing import cast

import pytest
import torch
from torch import nn
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.kv import placement
from prmkit.kv.placement import key_value_room, placed

GIB = 1 << 30


class Weights(nn.Module):
    """Weights of so many GiB, without memory for them, on a device that need not be there."""

    def __init__(self, gib: float, device: str) -> None:
        super().__init__()
        self.device = torch.device(device)
        self.weight = nn.Parameter(torch.empty(int(gib * GIB), dtype=torch.uint8, device="meta"), requires_grad=False)
        self.tied = self.weight
        self.config = SimpleNamespace(name_or_path="the/model")


def weights(gib: float, device: str = "cpu") -> PreTrainedModel:
    return cast(PreTrainedModel, Weights(gib, device))


@pytest.fixture
def two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs, of 80 and 24 GiB."""
    memory = {0: 80 * GIB, 1: 24 * GIB}
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda device: SimpleNamespace(total_memory=memory[device.index])
    )


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine of 16 GiB without a GPU."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    pages = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 16 * GIB // 4096}
    monkeypatch.setattr(placement.os, "sysconf", pages.__getitem__)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("device", ["cpu", "cuda", "cuda:0", "cuda:1"])
def test_a_device_that_is_there_is_used(device: str) -> None:
    assert placed(device) == device
    assert placed(None) == "cuda"


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize("device", ["cuda:2", "gpu", "cuda:", "mps", "cuda:-1", "CPU", ""])
def test_a_device_that_is_not_there_is_met_by_those_that_are(device: str) -> None:
    with pytest.raises(InputError, match=rf"no such device, got '{device}'; expected one of cpu, cuda:0, cuda:1"):
        placed(device)


@pytest.mark.usefixtures("no_gpu")
def test_without_a_gpu_there_is_the_cpu() -> None:
    assert (placed(None), placed("cpu")) == ("cpu", "cpu")
    for device in ("cuda", "cuda:0"):
        with pytest.raises(InputError, match=rf"no such device, got '{device}'; expected one of cpu"):
            placed(device)


@pytest.mark.usefixtures("two_gpus")
@pytest.mark.parametrize(
    ("device", "share", "room"),
    [
        ("cuda:0", None, 0.45 * 80 - 10),  # so that two engines fit on one GPU
        ("cuda:0", 0.9, 0.9 * 80 - 10),
        ("cuda:1", None, 0.45 * 24 - 10),
        ("cuda:1", 1.0, 24 - 10),
    ],
)
def test_what_the_weights_leave_of_the_share_of_a_gpu_is_for_key_values(
    device: str, share: float | None, room: float
) -> None:
    assert key_value_room(weights(10, device), share) == pytest.approx(room * GIB, abs=1)


@pytest.mark.usefixtures("no_gpu")
def test_a_cpu_belongs_to_others_too() -> None:
    assert key_value_room(weights(3), 0.5) == 5 * GIB
    # Without a share it is a fixed amount, and the weights are not asked after.
    assert key_value_room(weights(3), None) == key_value_room(weights(300), None) == 2 * GIB


def test_weights_that_leave_nothing_are_refused_with_the_numbers(no_gpu: None, two_gpus: None) -> None:
    with pytest.raises(
        InputError,
        match=r"the/model: the weights take more than the engine's share of the memory, got '9 GiB'; "
        r"expected less than 0\.5 of 16 GiB\. Give the engine a larger share \(memory\), or a device of its own",
    ):
        key_value_room(weights(9), 0.5)
    with pytest.raises(InputError, match=r"got '10\.8 GiB'; expected less than 0\.45 of 24 GiB"):
        key_value_room(weights(10.8, "cuda:1"), None)
    assert key_value_room(weights(10.8 - 1 / 1024, "cuda:1"), None) == pytest.approx(GIB / 1024, abs=2)
