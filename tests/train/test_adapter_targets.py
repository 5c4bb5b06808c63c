from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.models.backbone import load_backbone
from prmkit.train.adapter_targets import AdapterTargets, adapter_targets
from tests.zoo import tiny_folder


def targets(folder: Path, kind: str, *wanted: str) -> AdapterTargets:
    backbone, _ = load_backbone(tiny_folder(kind, folder), None)
    return adapter_targets(backbone, wanted)  # type: ignore[arg-type]


def kinds(names: tuple[str, ...]) -> set[str]:
    return {name.removeprefix("layers.0.").removeprefix("layers.1.").removeprefix("h.0.") for name in names}


ATTENTION = {f"self_attn.{end}" for end in ("q_proj", "k_proj", "v_proj", "o_proj")}
STACKS = {"mlp.experts.gate_up_proj", "mlp.experts.down_proj"}


def test_experts_and_routers_are_left_out_with_a_word(tmp_path: Path) -> None:
    found = targets(tmp_path, "phimoe")  # its router is a linear map
    assert (kinds(found.maps), found.stacks) == (ATTENTION, ())
    assert kinds(found.without) == {*STACKS, "mlp.router"}
    assert str(found) == (
        "adapters on self_attn.q_proj, self_attn.k_proj, self_attn.v_proj, self_attn.o_proj; none on "
        "mlp.experts.gate_up_proj, mlp.experts.down_proj, mlp.router, unless train.lora.targets names them"
    )


def test_experts_that_are_named_get_one_and_so_do_maps_of_that_name(tmp_path: Path) -> None:
    found = targets(tmp_path, "deepseek_v3", "down_proj")
    assert kinds(found.maps) == {"mlp.down_proj", "mlp.shared_experts.down_proj"}
    assert found.stacks == ("layers.1.mlp.experts.down_proj",)
    assert str(found) == "adapters on mlp.down_proj, mlp.shared_experts.down_proj, mlp.experts.down_proj"


def test_a_name_may_say_more_than_its_end(tmp_path: Path) -> None:
    found = targets(tmp_path, "deepseek_v3", "experts.down_proj")
    assert (found.maps, found.stacks) == ((), ("layers.1.mlp.experts.down_proj",))


def test_maps_of_every_class_are_found(tmp_path: Path) -> None:
    assert kinds(targets(tmp_path, "gpt2").maps) >= {"attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"}


def test_names_of_nothing_are_refused_even_beside_others(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"got \['proj'\]; expected some of down_proj, gate_up_proj, k_proj, o_proj"):
        targets(tmp_path, "mixtral", "q_proj", "proj")


def test_a_map_that_the_model_does_not_call_is_none(tmp_path: Path) -> None:
    """Mamba reads the weight of its time steps itself, where no adapter is."""
    found = targets(tmp_path, "mamba")
    assert kinds(found.maps) == {"mixer.in_proj", "mixer.x_proj", "mixer.out_proj"}
    with pytest.raises(InputError, match=r"got \['dt_proj'\]"):
        targets(tmp_path / "again", "mamba", "dt_proj")
