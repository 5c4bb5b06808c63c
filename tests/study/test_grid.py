import hashlib
import json
from pathlib import Path

import pytest

from prmkit.errors import InputError, InputErrors
from prmkit.recipe.stages.train import TrainRecipe
from tests.study.studies import STUDY, grid_at, write_study


def test_a_run_ranges_over_what_it_names_and_over_what_its_inputs_range_over(tmp_path: Path) -> None:
    grid = grid_at(write_study(tmp_path))
    assert grid.plan.order == ["world", "train", "stats"]  # nothing reads `unused`
    assert grid.plan.over == {"world": ["size"], "train": ["size", "seed"], "stats": ["size", "seed"]}
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


def test_a_scale_and_the_command_line_win_over_what_is_shared(tmp_path: Path) -> None:
    file = write_study(tmp_path)
    assert {values for run, values in grid_at(file, "small").places if run == "train"} == {("small", 3), ("large", 3)}
    assert ("train", ("small", 9)) in grid_at(file, "small", "axes.seed=[9]").places
    with pytest.raises(InputError, match=r"does not describe this scale, got 'papr'; expected one of synthetic, small"):
        grid_at(file, "papr")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"{world}/backbone"', '"{wrld}/backbone"', r":10: a name in braces .* got 'wrld'; .* Did you mean world\?"),
        ('"{size.lr}"', '"{size.rl}"', r":10: a name in braces .* got 'size.rl'; expected one of size.lr, size.steps"),
        ("synthetic/train, set: {model", "synthetic/trian, set: {model", r":10: .*no such recipe.*synthetic/train\?"),
        ("train.lr: ", "train.lrr: ", r":10: unknown key train.lrr; .*Did you mean train.lr\?"),
        ('"{seed}", ', "many, ", r":10: illegal seed, got 'many'"),
        ("{command: [data", "{recipe: synthetic/train, command: [data", r":11: a run is a recipe or a command"),
        ("of: stats", "of: stat", r":19: a name in braces stands for nothing, got 'stat'; .*Did you mean stats\?"),
        ('k: "{k}"', 'k: "{kk}"', r":19: a name in braces stands for nothing, got 'kk'"),
        (
            "{recipe: synthetic/world, set",
            "{recipe: synthetic/world, after: [stats], set",
            r"wait for each other, got '",
        ),
        (
            "{recipe: synthetic/world, set",
            "{recipe: synthetic/world, after: [sats], set",
            r":9: .*Did you mean stats\?",
        ),
        ("  y: loss", "  y: los", r":16: the rows have no such column, got 'los'; .*Did you mean loss\?"),
        ("seed: [1, 2]", "seed: []", r":6: an axis without values, got 'seed'"),
        ("  k: [1, 2]", "  k: [1, 2]\n  train: [1]", r":8: an axis and a run have one name, got 'train'"),
        ("title:", "titel:", r":3: unknown key titel; .*Did you mean title\?"),
        ("{command:", "{comand:", r":11: unknown key runs.stats.comand; .*Did you mean runs.stats.command\?"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in STUDY
    file = write_study(tmp_path, STUDY.replace(old, new, 1))
    with pytest.raises(InputError, match=message) as raised:
        grid_at(file)
    assert str(file) in str(raised.value)


def test_all_faults_of_all_cells_are_told_at_once(tmp_path: Path) -> None:
    text = STUDY.replace("train.lr: ", "train.lrr: ").replace("policy.policy_steps", "policy.steps")
    with pytest.raises(InputErrors) as raised:
        grid_at(write_study(tmp_path, text))
    assert len(raised.value.errors) == 1  # the trainings wait for worlds that are wrong themselves
    assert "unknown key policy.steps" in str(raised.value)
