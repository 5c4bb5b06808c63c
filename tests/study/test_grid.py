import hashlib
import json
from pathlib import Path

import pytest

from prmkit.errors import InputError, InputErrors
from prmkit.recipe.stages.train import TrainRecipe
from tests.study.studies import STUDY, changed, grid_at, write_study


def test_there_is_a_cell_for_every_point_of_a_run(tmp_path: Path) -> None:
    grid = grid_at(write_study(tmp_path))
    assert [(run, values) for run, values in grid.places] == [
        *(("world", (size,)) for size in ("small", "large")),
        *((run, (size, seed)) for run in ("train", "stats") for size in ("small", "large") for seed in (1, 2)),
    ]
    assert len(grid.cells) == 2 + 4 + 4


def test_a_cell_is_a_command_with_the_folders_of_its_inputs(tmp_path: Path) -> None:
    grid = grid_at(write_study(tmp_path))
    world = grid.cell("world", {"size": "large"})
    train = grid.cell("train", {"size": "large", "seed": 2, "k": 1})
    assert world.words[:4] == ("world", "synthetic/world", "--set", "policy.policy_steps=7")
    assert train.words == (
        *("train", "synthetic/train", "--set", f"model.name=out/cells/{world.name}/backbone", "--set", "seed=2"),
        *("--set", "train.lr=0.002", "--out", f"out/cells/{train.name}", "--resume"),
    )
    assert train.after == (world.name,)
    assert isinstance(train.recipe, TrainRecipe)
    assert (train.recipe.seed, train.recipe.train.lr) == (2, 0.002)
    stats = grid.cell("stats", {"size": "large", "seed": 2})
    assert stats.words == ("data", "stats", f"out/cells/{train.name}/trees.jsonl", "--source", "trees")
    assert (stats.after, stats.recipe) == ((train.name,), None)
    assert (world.kind, train.kind, stats.kind) == ("synthetic-world", "synthetic-train", "data-stats")


def test_the_name_of_a_cell_is_the_hash_of_what_it_does(tmp_path: Path) -> None:
    grid = grid_at(write_study(tmp_path), "synthetic", "axes.seed=[1]")
    train, stats = (grid.cell(run, {"size": "small", "seed": 1}) for run in ("train", "stats"))
    words = ["data", "stats", f"{train.name}/trees.jsonl", "--source", "trees"]
    assert stats.name == f"data-stats-{hashlib.sha256(json.dumps(words).encode()).hexdigest()[:8]}"
    assert train.recipe is not None
    values = train.recipe.model_dump(mode="json")
    values["model"]["name"] = values["model"]["name"].removeprefix("out/cells/")
    identity = json.dumps(["train", values], sort_keys=True)
    assert train.name == f"synthetic-train-{hashlib.sha256(identity.encode()).hexdigest()[:8]}"


def test_names_do_not_depend_on_the_place_and_change_with_what_is_upstream(tmp_path: Path) -> None:
    file = write_study(tmp_path)
    here, elsewhere = grid_at(file), grid_at(file, out=str(tmp_path / "other"))
    assert list(here.cells) == list(elsewhere.cells)
    changed = grid_at(write_study(tmp_path, STUDY.replace("steps: 5", "steps: 6")))
    for run in ("world", "train", "stats"):
        for grid, other in ((here, changed),):
            assert (
                grid.cell(run, {"size": "small", "seed": 1}).name != other.cell(run, {"size": "small", "seed": 1}).name
            )
            assert (
                grid.cell(run, {"size": "large", "seed": 1}).name == other.cell(run, {"size": "large", "seed": 1}).name
            )


def test_studies_share_cells_whatever_they_call_them(tmp_path: Path) -> None:
    one = grid_at(write_study(tmp_path))
    text = STUDY.replace("train", "prm").replace("synthetic/prm", "synthetic/train").replace("prm.lr", "train.lr")
    other = grid_at(write_study(tmp_path, text.replace("seed: [1, 2]", "seed: [2, 5]")))
    assert len(one.cells.keys() & other.cells.keys()) == 2 + 2 + 2  # the worlds, and seed 2 of both sizes


def test_runs_that_come_to_the_same_are_one_cell(tmp_path: Path) -> None:
    text = STUDY.replace("{steps: 5, lr: 1e-3}", "{steps: 7, lr: 2e-3}")
    grid = grid_at(write_study(tmp_path, text))
    assert len(grid.cells) == 1 + 2 + 2
    assert len(grid.places) == 2 + 4 + 4


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("synthetic/train, set: {model", "synthetic/trian, set: {model", r":10: .*no such recipe.*synthetic/train\?"),
        ("train.lr: ", "train.lrr: ", r":10: unknown key train.lrr; .*Did you mean train.lr\?"),
        ('"{seed}", ', "many, ", r":10: illegal seed, got 'many'"),
    ],
)
def test_what_is_wrong_with_a_recipe_is_told_with_the_line_of_the_study(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    file = write_study(tmp_path, changed(old, new))
    with pytest.raises(InputError, match=rf"^{file}{message}"):
        grid_at(file)


def test_all_faults_of_all_cells_are_told_at_once(tmp_path: Path) -> None:
    text = STUDY.replace("train.lr: ", "train.lrr: ").replace("policy.policy_steps", "policy.steps")
    with pytest.raises(InputErrors) as raised:
        grid_at(write_study(tmp_path, text))
    assert len(raised.value.errors) == 1  # the trainings wait for worlds that are wrong themselves
    assert "unknown key policy.steps" in str(raised.value)
