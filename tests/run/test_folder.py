from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.run.folder import RunFolder
from prmkit.yaml_io import read_yaml

RECIPE = {"stage": "train", "train": {"lr": 1e-5, "epochs": 2}}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.jsonl"
    path.write_text("{}\n")
    return path


def test_the_record_replays_the_run(tmp_path: Path, data: Path) -> None:
    run = RunFolder.create(tmp_path / "run", RECIPE, inputs=[data], seed=3)
    record = read_yaml(run.record).values
    assert record["recipe"] == RECIPE
    assert record["seed"] == 3
    assert record["versions"]["prmkit"]
    # echo '{}' | sha256sum
    assert record["inputs"] == {str(data): "ca3d163bab055381827226140568f3bef7eaac187cebd76878e0b63e9e442356"}


def test_a_run_is_left_alone_unless_one_says_what_to_do(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", RECIPE, seed=0)
    run.metrics_file.write_text("{}")
    with pytest.raises(InputError, match="the folder is not empty"):
        RunFolder.create(run.path, RECIPE, seed=0)
    with pytest.raises(InputError, match="exclude each other"):
        RunFolder.create(run.path, RECIPE, seed=0, resume=True, overwrite=True)
    assert RunFolder.create(run.path, RECIPE, seed=0, resume=True).metrics_file.exists()
    assert not RunFolder.create(run.path, RECIPE, seed=0, overwrite=True).metrics_file.exists()


def test_resuming_needs_the_same_recipe_and_the_same_data(tmp_path: Path, data: Path) -> None:
    run = RunFolder.create(tmp_path / "run", RECIPE, inputs=[data], seed=0)
    other = {**RECIPE, "train": {"lr": 2e-5, "epochs": 2}}
    with pytest.raises(InputError, match=r"the recipe differs from that of the run at train\.lr, got 2e-05; expected"):
        RunFolder.create(run.path, other, inputs=[data], seed=0, resume=True)
    data.write_text("[]\n")
    with pytest.raises(InputError, match="the input differs from that of the run"):
        RunFolder.create(run.path, RECIPE, inputs=[data], seed=0, resume=True)


def test_only_a_run_is_overwritten_and_never_with_its_own_input(tmp_path: Path) -> None:
    folder = tmp_path / "thesis"
    folder.mkdir()
    (folder / "thesis.tex").write_text("precious")
    for option in ({"overwrite": True}, {"resume": True}):
        with pytest.raises(InputError, match=r"not a run|no run to resume"):
            RunFolder.create(folder, RECIPE, seed=0, **option)
    run = RunFolder.create(tmp_path / "run", RECIPE, seed=0)
    run.trees.write_text("{}\n")
    with pytest.raises(InputError, match="an input lies in the folder to overwrite"):
        RunFolder.create(run.path, RECIPE, inputs=[run.trees], seed=0, overwrite=True)
    assert (folder / "thesis.tex").read_text() == "precious"
    assert run.trees.exists()


@pytest.mark.parametrize("place", ["model", "scorer", "members"])
def test_what_a_recipe_names_is_not_overwritten_by_its_run(tmp_path: Path, place: str) -> None:
    run = RunFolder.create(tmp_path / "run", RECIPE, seed=0)
    run.checkpoint.mkdir()
    (run.checkpoint / "model.safetensors").write_text("precious")
    model = str(run.checkpoint)
    named = {"model": model, "scorer": {"checkpoint": model}, "members": [{"checkpoint": "hub/id"}, {"name": model}]}
    with pytest.raises(InputError, match="an input lies in the folder to overwrite, got 'checkpoint'"):
        RunFolder.create(run.path, {**RECIPE, place: named[place]}, seed=0, overwrite=True)
    assert (run.checkpoint / "model.safetensors").read_text() == "precious"
    beside = {**RECIPE, "names": ["", "train", str(tmp_path), str(run.path / "gone"), "x" * 5000]}
    assert not RunFolder.create(run.path, beside, seed=0, overwrite=True).checkpoint.exists()


def test_an_overwriting_that_was_killed_leaves_a_run_that_may_be_overwritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder.create(tmp_path / "run", RECIPE, seed=0)
    for name in ("a", "z"):
        (run.path / name).write_text("")
    unlink, left = Path.unlink, 2

    def killed_at_the_third(path: Path, missing_ok: bool = False) -> None:
        nonlocal left
        left -= path.parent == run.path
        if left < 0:
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", killed_at_the_third)
        with pytest.raises(KeyboardInterrupt):
            RunFolder.create(run.path, RECIPE, seed=0, overwrite=True)
    assert [child.name for child in run.path.iterdir()] == ["run.yaml"]
    assert RunFolder.create(run.path, RECIPE, seed=0, overwrite=True).record.is_file()


def test_a_file_is_no_folder_and_an_input_must_exist(tmp_path: Path, data: Path) -> None:
    with pytest.raises(InputError, match="not a folder"):
        RunFolder.create(data, RECIPE, seed=0)
    with pytest.raises(InputError, match="cannot read an input"):
        RunFolder.create(tmp_path / "run", RECIPE, inputs=[tmp_path / "gone"], seed=0)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("variable", ["RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_only_the_first_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    monkeypatch.setenv(variable, "1")
    run = RunFolder.create(tmp_path / "run", RECIPE, seed=0)
    assert run.follower
    assert not run.path.exists()


def test_the_record_reads_back_and_a_folder_without_one_is_refused(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {"stage": "train", "lr": 0.1}, seed=3)
    record = run.read_record()
    assert (record["recipe"], record["seed"]) == ({"stage": "train", "lr": 0.1}, 3)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "run.yaml").write_text("stage: train\n")
    for folder in ("nowhere", "other"):
        with pytest.raises(InputError, match="not the folder of a run"):
            RunFolder(tmp_path / folder).read_record()


def test_a_name_that_no_folder_can_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot write \(File name too long\)"):
        RunFolder(tmp_path / ("x" * 300)).refuse_taken(RECIPE)


def test_a_run_of_another_stage_is_not_overwritten(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", RECIPE, seed=0)
    run.checkpoint.mkdir()
    with pytest.raises(InputError, match="a run of another stage, got 'train'; expected search"):
        RunFolder.create(run.path, {"stage": "search"}, seed=0, overwrite=True)
    assert run.checkpoint.is_dir()


def test_a_run_of_a_stage_that_was_split_is_overwritten_by_its_parts(tmp_path: Path) -> None:
    run = RunFolder.create(tmp_path / "run", {"stage": "evaluate"}, seed=0)
    RunFolder.create(run.path, {"stage": "evaluate-steps"}, seed=0, overwrite=True)
    assert run.read_record()["recipe"] == {"stage": "evaluate-steps"}
