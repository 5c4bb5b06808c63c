from collections.abc import Callable
from pathlib import Path

import pytest
from huggingface_hub import constants
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForTokenClassification

from prmkit.errors import InputError
from prmkit.models import names
from prmkit.models.backbone import load_causal_lm, load_config
from prmkit.models.checkpoint import export_process_reward_model
from prmkit.models.config import ModelConfig
from prmkit.models.facts import inspect_model
from prmkit.models.names import HubName, cached_folder, commit_of, hub_name, is_here, model_folder
from prmkit.models.prm import PRM
from prmkit.models.tokenizer import load_tokenizer
from prmkit.score import PrmConfig, load_engine
from prmkit.tree import Problem, StepTree
from prmkit.trees_io import read_trees, write_trees
from tests.commands.conftest import Answer, prmkit  # noqa: F401
from tests.fake_hub import ReadableHub
from tests.publish.conftest import save_tiny_prm
from tests.tiny import tiny_backbone, tiny_bpe_tokenizer


@pytest.mark.parametrize(
    "name", ["/nowhere/model", "./model", "../model", "~/model", "a/b/c", "runs/mine/checkpoint", ".", "./a@b"]
)
def test_what_is_plainly_a_path_must_be_a_folder(name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    if name == ".":
        assert hub_name(name) is None
        return
    with pytest.raises(InputError, match=r"no such folder\. Check the path"):
        hub_name(name)


def test_behind_an_at_stands_the_revision() -> None:
    assert hub_name("org/name") == HubName("org/name")
    assert hub_name("gpt2") == HubName("gpt2")
    assert hub_name("org/name@v1.0") == HubName("org/name", "v1.0")
    assert hub_name("org/name@refs/pr/3") == HubName("org/name", "refs/pr/3")
    for wrong in ("org/name@", "@main", "a name", "org/na me@main", ""):
        with pytest.raises(InputError, match=r"neither a folder nor an id on the hub|no such folder"):
            hub_name(wrong)


def test_a_folder_with_an_at_in_its_name_is_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for folder in (Path("org", "name@v1"), Path("name@v1")):
        folder.mkdir(parents=True)
        assert hub_name(str(folder)) is None
        assert model_folder(str(folder)) == folder
        assert commit_of(folder) is None


def test_a_folder_is_itself_also_below_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "prm").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert model_folder(str(tmp_path / "prm")) == tmp_path / "prm"
    assert model_folder("~/prm") == tmp_path / "prm"
    assert model_folder("prm") == Path("prm")


def test_a_branch_a_tag_and_a_commit_are_three_names_of_a_model(tmp_path: Path, hub: ReadableHub) -> None:
    tiny_backbone(tmp_path / "old", context=64)
    tiny_backbone(tmp_path / "new", context=128)
    (tmp_path / "new" / "modeling.py").write_text("raise SystemExit")
    old = hub.put("org/name", tmp_path / "old", "v1")
    new = hub.put("org/name", tmp_path / "new", "main")
    found = {name: load_config(name).max_position_embeddings for name in ("org/name", "org/name@v1", f"org/name@{old}")}
    assert found == {"org/name": 128, "org/name@v1": 64, f"org/name@{old}": 64}
    assert commit_of(model_folder("org/name")) == new
    assert commit_of(model_folder("org/name@v1")) == old
    assert not (model_folder("org/name") / "modeling.py").exists()  # code is not even fetched
    model, tokenizer = load_causal_lm("org/name@v1", device="cpu")
    assert (model.config.max_position_embeddings, tokenizer.name_or_path) == (64, "org/name@v1")
    assert inspect_model("org/name@v1").context == 64


def test_a_tokenizer_comes_without_the_weights(tmp_path: Path, hub: ReadableHub) -> None:
    hub.put("org/name", Path(tiny_backbone(tmp_path / "made", tokenizer=tiny_bpe_tokenizer())))
    load_tokenizer("org/name")
    assert not any(path.endswith(".safetensors") for path in hub.asked)
    assert is_here("org/name")
    assert cached_folder("org/name") == model_folder("org/name", weights=False)
    assert not is_here("org/name@other")
    assert not is_here("a/b/c")


def test_torch_files_are_fetched_where_there_is_nothing_better(tmp_path: Path, hub: ReadableHub) -> None:
    made = Path(tiny_backbone(tmp_path / "made"))
    (made / "pytorch_model.bin").write_bytes(b"x")
    hub.put("org/both", made)
    assert not (model_folder("org/both") / "pytorch_model.bin").exists()
    (made / "model.safetensors").unlink()
    hub.put("org/old", made)
    assert (model_folder("org/old") / "pytorch_model.bin").exists()


def test_a_branch_that_moves_meanwhile_does_not_mix_two_commits(tmp_path: Path, hub: ReadableHub) -> None:
    first = hub.put("org/name", Path(tiny_backbone(tmp_path / "old", context=64)))
    load_tokenizer("org/name")
    second = hub.put("org/name", Path(tiny_backbone(tmp_path / "new", context=128)))
    assert commit_of(model_folder("org/name")) == first != second
    names._resolved.clear()  # another process
    assert commit_of(model_folder("org/name")) == second


def test_what_the_hub_does_not_give_has_its_cause_and_its_cure(
    tmp_path: Path, hub: ReadableHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub.put("org/name", Path(tiny_backbone(tmp_path / "made")))
    hub.gated.add("org/gated")
    said = {
        "org/nmae": r"^org/nmae: the hub has no such model, or it is private\. Check the spelling",
        "org/name@v9": r"^org/name@v9: the model has no such revision on the hub; .* Check what stands behind the @",
        "org/gated": r"^org/gated: the hub gives this model only to those .* Accept its terms on its page",
        "org/a--b": "^org/a--b: neither a folder nor an id on the hub",
    }
    for name, expected in said.items():
        with pytest.raises(InputError, match=expected):
            model_folder(name)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InputError, match=r"not on this machine, or not all of it, and there is no connection .*fills"):
        model_folder("org/name@v3")
    model_folder_before = cached_folder("org/name", "config.json")
    assert model_folder_before is None


def test_without_a_network_the_cache_serves_as_far_as_it_goes(
    tmp_path: Path, hub: ReadableHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = hub.put("org/name", Path(tiny_backbone(tmp_path / "made")))
    load_tokenizer("org/name")
    names._resolved.clear()
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    load_tokenizer("org/name")
    assert commit_of(model_folder("org/name", weights=False)) == commit
    with pytest.raises(InputError, match="not all of it, and HF_HUB_OFFLINE forbids to ask"):
        model_folder("org/name")


def test_every_verb_on_a_model_takes_a_revision(
    tmp_path: Path,
    hub: ReadableHub,
    prmkit: Callable[..., Answer],  # noqa: F811
) -> None:
    save_tiny_prm(tmp_path / "prm")
    hub.put("org/prm", tmp_path / "prm", "v1")
    two = tmp_path / "two"
    export_process_reward_model("org/prm@v1", two)
    hub.put("org/two", two, "v1")
    hub.put("org/base", Path(tiny_backbone(tmp_path / "base")), "v1")
    model = AutoModelForTokenClassification.from_pretrained(tmp_path / "base", num_labels=2)
    lora = LoraConfig(task_type="TOKEN_CLS", r=2, target_modules=["q_proj"], modules_to_save=["score"])
    get_peft_model(model, lora).save_pretrained(tmp_path / "adapter")
    hub.put("org/adapter", tmp_path / "adapter", "v1")
    trees = tmp_path / "trees.jsonl"
    write_trees(trees, [StepTree.from_steps(Problem(id="p", prompt="1 + 1"), ["1", "2"])])
    for arguments in (
        ("models", "show", "org/base@v1"),
        ("checkpoint", "inspect", "org/prm@v1"),
        ("checkpoint", "export", "org/prm@v1", tmp_path / "exported"),
        ("checkpoint", "import", "org/two@v1", tmp_path / "imported", "--template", "plain"),
        ("checkpoint", "merge", "org/adapter@v1", tmp_path / "merged", "--base", "org/base@v1"),
        ("attribute", "org/prm@v1", trees, "--samples", 2, "--out", tmp_path / "page.html"),
    ):
        answer = prmkit(*arguments)
        assert answer.code == 0, (arguments, answer.err)
    scorer, _ = load_engine(PrmConfig(checkpoint="org/prm@v1", device="cpu"))
    assert scorer.fits(next(iter(read_trees(trees))), 1)
    name = "org/base@v1"
    assert PRM.from_backbone(name, ModelConfig(name=name, max_length=64)).model.config.hidden_size == 32
