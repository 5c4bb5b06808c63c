import json
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.recipe.execute import execute, prepare
from prmkit.recipe.stage import Resources
from prmkit.recipe.stages.train import STAGE
from prmkit.run.folder import RunFolder
from prmkit.train.machines import machine_of
from prmkit.train.result import TrainingResult
from tests.recipe.stages.bound import bound


def corpus(path: Path, *bad: str) -> Path:
    rows = [
        json.dumps({"prompt": f"{number}?", "completions": ["a", "b"], "labels": [True, number % 2 == 0]})
        for number in range(60)
    ]
    path.write_text("\n".join([*rows, *bad]) + "\n")
    return path


def test_a_training_leaves_its_result_and_its_bad_rows_and_a_finished_one_is_not_done_again(
    tmp_path: Path, backbone: str
) -> None:
    data = corpus(tmp_path / "c.jsonl", '{"prompt": "x"}')
    small = ("train.batch_size=16", "train.epochs=1", "train.devices=1", "train.lora=null", "model.max_length=64")
    options = (f"data.path={data}", "data.source=trl", "data.max_bad=0.5", f"model.name={backbone}", *small)
    recipe = bound("synthetic/train", *options)
    folder, result = execute(recipe, tmp_path / "run")
    assert isinstance(result, TrainingResult)
    assert (result.corpus.kept, result.corpus.quarantined, result.corpus.source) == (60, 1, "trl")
    assert result.labels == 120
    assert isinstance(result.steps, int)
    assert json.loads(folder.quarantine.read_text())["where"].endswith("c.jsonl:61")
    assert execute(recipe, folder.path, resume=True)[1] == result


def test_a_corpus_that_is_not_there_is_refused_in_preparation(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"gone\.jsonl: no such file"):
        prepare(bound("synthetic/train", f"data.path={tmp_path}/gone.jsonl"))


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("model.name", "/nowhere", "/nowhere"),
        ("train.devices", "64", "devices"),
        ("data.path", "right.jsonl", "all labels are the same"),
    ],
)
def test_what_allows_no_training_is_said_while_the_old_prm_is_still_there(
    tmp_path: Path, backbone: str, key: str, value: str, message: str
) -> None:
    rows = [json.dumps({"prompt": f"{number}?", "completions": ["a"], "labels": [True]}) for number in range(60)]
    (tmp_path / "right.jsonl").write_text("\n".join(rows) + "\n")
    if key == "data.path":
        value = str(tmp_path / value)
    data = corpus(tmp_path / "c.jsonl")
    options = (f"data.path={data}", "data.source=trl", f"model.name={backbone}", "model.max_length=64")
    run = RunFolder.create(tmp_path / "run", {"stage": "train"}, seed=0)
    (run.checkpoint / "prm").mkdir(parents=True)
    with pytest.raises(InputError, match=message):
        execute(bound("synthetic/train", *options, f"{key}={value}"), run.path, overwrite=True)
    assert (run.checkpoint / "prm").is_dir()


def test_the_cost_is_that_of_the_plan_where_a_machine_is_named() -> None:
    recipe = bound("prm800k/72b")
    assert STAGE.cost(recipe, Resources()) == "2 epochs; --machine H100 tells memory and time of a step"
    assert STAGE.cost(recipe, Resources(machine=machine_of("8xH100"))).startswith("2 epochs; 8xH100: ")
    unknown = bound("synthetic/train", "model.name=/nowhere")
    assert STAGE.cost(unknown, Resources(machine=machine_of("H100"))).startswith("10 epochs; unknown (")
    assert list(STAGE.inputs(recipe)) == [recipe.data.path]
