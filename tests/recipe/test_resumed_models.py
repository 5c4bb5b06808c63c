"""A run goes on with the models that it began with, or says which is another one now."""

import json
import logging
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants
from pydantic import BaseModel
from safetensors.torch import load_file, save_file

from prmkit.errors import InputError
from prmkit.models import names
from prmkit.recipe.execute import execute, models_of
from prmkit.recipe.stages.evaluate_steps import EvaluateStepsRecipe
from prmkit.run.files import sha256
from prmkit.world import WEIGHTS
from tests.fake_hub import ReadableHub
from tests.models.conftest import hub  # noqa: F401
from tests.publish.conftest import save_tiny_prm
from tests.recipe.stages.bound import bound
from tests.recipe.stages.test_similarity import responses


def retrained(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    for value in weights.values():
        value *= 1.5
    save_file(weights, folder / "model.safetensors", {"format": "pt"})


def with_another_tokenizer(folder: Path) -> None:
    file = folder / "tokenizer.json"
    file.write_text(file.read_text().replace('"normalized": false', '"normalized": true', 1))


def with_another_template(folder: Path) -> None:
    (folder / "chat_template.jinja").write_text("{{ messages[0]['content'] }}")


def with_other_ends(folder: Path) -> None:
    (folder / "generation_config.json").write_text('{"eos_token_id": [1, 2]}')


CHANGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "retrained": (retrained, "the weights differ from those of the run"),
    "tokenizer": (with_another_tokenizer, "the tokenizer differs from that of the run"),
    "template": (with_another_template, "the chat template"),
    "ends": (with_other_ends, "the generation config"),
}


def recipe_of(stage: str, tmp_path: Path, policy_name: str = "") -> tuple[BaseModel, dict[str, Path]]:
    """A small recipe of a stage, and the folders of its models by role."""
    policy, prm = tmp_path / "policy", tmp_path / "prm"
    shutil.copytree(WEIGHTS / "policy", policy)
    save_tiny_prm(prm)
    name = policy_name or str(policy)
    if stage == "search":
        keys = ["problems.limit=2", "strategy={name: majority, options: {n: 2}}", f"scorer={{checkpoint: {prm}}}"]
        return bound("synthetic/search-math", f"generator.name={name}", *keys), {"policy": policy, "PRM": prm}
    if stage == "annotate":
        keys = ["problems=[{benchmark: synthetic-math, limit: 2}]", "solutions=1", f"generator.name={name}"]
        return bound("synthetic/annotate", *keys), {"policy": policy}
    if stage == "train":
        corpus = tmp_path / "corpus.jsonl"
        row = {"prompt": "1 + 1 ?", "completions": ["1 + 1", "2"], "labels": [True, False]}
        corpus.write_text("".join(json.dumps(row | {"prompt": f"{n} + 1 ?"}) + "\n" for n in range(8)))
        keys = [f"data={{source: trl, path: {corpus}}}", f"model={{name: {name}, max_length: 64}}"]
        train = "train={epochs: 1, batch_size: 4, validation_share: 0.25, devices: 1}"
        return bound("synthetic/train", *keys, train), {"backbone": policy}
    if stage == "evaluate-steps":
        rows = tmp_path / "rows.json"
        rows.write_text(json.dumps([{"id": "a", "problem": "1 + 1 ?", "steps": ["good", "bad"], "label": 1}] * 2))
        corpus_config = {"source": "processbench", "path": str(rows)}
        steps = {"stage": stage, "corpus": corpus_config, "scorer": {"checkpoint": str(prm)}}
        return EvaluateStepsRecipe.model_validate(steps), {"PRM": prm}
    one = responses(tmp_path / "one.jsonl", "1+1", "2+2")
    keys = [f"sets={{a: {{file: {one}}}}}", f"reference.name={name}", "reference.dtype=float32", "draws=10"]
    return bound("similarity/paper", *keys), {"reference model": policy}


STAGES = ["search", "annotate", "evaluate-steps", "similarity"]


@pytest.mark.parametrize(
    ("stage", "change"),
    [(stage, change) for stage in STAGES for change in CHANGES]
    + [("train", "retrained"), pytest.param("train", "tokenizer", marks=pytest.mark.slow)],
)
def test_another_model_at_the_same_place_is_refused_by_name(tmp_path: Path, stage: str, change: str) -> None:
    recipe, models = recipe_of(stage, tmp_path)
    folder, result = execute(recipe, tmp_path / "run")
    for role, model in models.items():
        kept = tmp_path / "kept"
        shutil.copytree(model, kept)
        spoil, said = CHANGES[change]
        spoil(model)
        before = folder.metrics_file.read_bytes()
        with pytest.raises(InputError, match=f"^{role} {model}: {said}") as refused:
            execute(recipe, folder.path, resume=True)
        assert refused.value.exit_code == 2
        assert "Resume with the one that the run began with, or choose another --out" in str(refused.value)
        assert folder.metrics_file.read_bytes() == before
        shutil.rmtree(model)
        kept.rename(model)
    assert type(execute(recipe, folder.path, resume=True)[1]) is type(result)


def test_the_record_names_every_model_with_its_role_and_its_parts(tmp_path: Path) -> None:
    recipe, models = recipe_of("search", tmp_path)
    folder, _ = execute(recipe, tmp_path / "run")
    record = folder.read_record()["models"]
    assert {key: (each["role"], each["model"], each["commit"]) for key, each in record.items()} == {
        "generator.name": ("policy", str(models["policy"]), None),
        "scorer.checkpoint": ("PRM", str(models["PRM"]), None),
    }
    assert {"weights", "config", "tokenizer", "text format"} <= record["scorer.checkpoint"]["sha256"].keys()


def test_every_model_of_a_recipe_is_found_wherever_it_stands() -> None:
    judge = "{name: judge, generator: {name: j}}"
    scorer = f"scorer={{engine: {{name: ensemble, members: [{{checkpoint: p}}, {{engine: {judge}}}]}}}}"
    served = "generator={name: t, engine: {name: openai, url: 'http://s'}}"
    found = models_of(bound("synthetic/search-math", served, "scorer.checkpoint=null", scorer))
    assert {key: (each.role, each.name, each.weights) for key, each in found.items()} == {
        "generator.name": ("tokenizer", "t", False),
        "scorer.engine.members.0.checkpoint": ("PRM", "p", True),
        "scorer.engine.members.1.engine.generator.name": ("judge", "j", True),
    }
    chat = bound("synthetic/search-math", "generator={name: c, engine: {name: chat, url: 'http://s'}}", "scorer=null")
    assert models_of(chat) == {}


def test_a_run_from_before_models_were_recorded_goes_on_and_says_so(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recipe, models = recipe_of("search", tmp_path)
    folder, _ = execute(recipe, tmp_path / "run")
    record = folder.read_record()
    del record["models"]
    folder.record.write_text(yaml.safe_dump(record))
    with caplog.at_level(logging.WARNING):
        execute(recipe, folder.path, resume=True)
    assert "run.yaml does not say which models the run used" in caplog.text
    # An evaluation of steps had its PRM among the data.
    folder.record.write_text(yaml.safe_dump(record | {"inputs": {str(models["PRM"]): sha256(models["PRM"])}}))
    execute(recipe, folder.path, resume=True)
    retrained(models["PRM"])
    with pytest.raises(InputError, match="the input differs from that of the run at"):
        execute(recipe, folder.path, resume=True)


def test_a_branch_that_moved_is_refused_and_the_commit_of_the_run_goes_on(
    tmp_path: Path,
    hub: ReadableHub,  # noqa: F811
) -> None:
    recipe, models = recipe_of("search", tmp_path, "org/policy")
    policy = models["policy"]
    first = hub.put("org/policy", policy)
    folder, _ = execute(recipe, tmp_path / "run")
    assert folder.read_record()["models"]["generator.name"]["commit"] == first
    (policy / "README.md").write_text("words")
    hub.put("org/policy", policy)
    names._resolved.clear()
    execute(recipe, folder.path, resume=True)  # another commit that decides nothing else
    retrained(policy)
    hub.put("org/policy", policy)
    names._resolved.clear()
    with pytest.raises(InputError, match=f"^policy org/policy: the weights .* --set generator.name=org/policy@{first}"):
        execute(recipe, folder.path, resume=True)
    pinned = recipe.generator.model_copy(update={"name": f"org/policy@{first}"})  # type: ignore[attr-defined]
    execute(recipe.model_copy(update={"generator": pinned}), folder.path, resume=True)
    assert Path(constants.HF_HUB_CACHE).is_relative_to(tmp_path)
