import json
from collections.abc import Callable
from pathlib import Path

from prmkit.models.backbone import load_causal_lm
from prmkit.world import WEIGHTS, make_world
from prmkit.world.config import PolicyConfig
from tests.commands.conftest import Answer, prmkit  # noqa: F401  # a fixture


def test_the_shipped_models_are_copied_with_their_cost(tmp_path: Path) -> None:
    cost = make_world(tmp_path / "world", None)
    assert cost == json.loads((WEIGHTS / "cost.json").read_text())
    for name in ("policy", "backbone"):
        written, shipped = (folder / name / "model.safetensors" for folder in (tmp_path / "world", WEIGHTS))
        assert written.read_bytes() == shipped.read_bytes()


def test_others_are_made_as_asked_and_their_tokens_counted(tmp_path: Path) -> None:
    config = PolicyConfig(hidden_size=16, layers=1, batch_size=4, policy_steps=3, backbone_steps=2)
    cost = make_world(tmp_path, config, seed=3)
    assert load_causal_lm(str(tmp_path / "backbone"))[0].config.hidden_size == 16
    assert 0 < cost["policy"]["tokens"] < cost["backbone"]["tokens"] < 5 * 4 * 256
    assert cost["backbone"]["flops"] == 6 * cost["backbone"]["parameters"] * cost["backbone"]["tokens"]


def test_the_verb_makes_a_run_that_is_done_once(prmkit: Callable[..., Answer], tmp_path: Path) -> None:  # noqa: F811
    small = ("policy.hidden_size=16", "policy.layers=1", "policy.policy_steps=2", "policy.backbone_steps=2")
    arguments = ["world", "synthetic/world", "--out", tmp_path / "run", "--json"]
    for each in (*small, "policy.batch_size=2", "seed=5"):
        arguments += ["--set", each]
    first = json.loads(prmkit(*arguments).out)
    again = json.loads(prmkit(*arguments, "--resume").out)
    assert first == again
    assert first["backbone"]["parameters"] > 0
    wrong = prmkit("world", "synthetic/world", "--set", "policy.hidden_size=20", "--out", tmp_path / "other")
    assert wrong.code == 2
    assert "illegal policy.hidden_size, got 20" in wrong.err
