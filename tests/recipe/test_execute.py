import json
from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError
from prmkit.recipe.execute import execute, inputs_of, prepare
from prmkit.recipe.stages import STAGES
from prmkit.recipe.stages.annotate import AnnotateRecipe
from prmkit.recipe.stages.similarity import ReferenceConfig, ResponsesConfig, SimilarityRecipe
from prmkit.study.recipe import StudyRecipe
from tests.recipe.stages.made_up import CountRecipe
from tests.recipe.stages.test_init import MADE_UP


@pytest.fixture(autouse=True)
def counting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(STAGES, "count", MADE_UP)  # type: ignore[arg-type]  # a dict


@pytest.fixture
def recipe(tmp_path: Path) -> CountRecipe:
    (tmp_path / "text").write_text("two words\n")
    return CountRecipe(stage="count", path=str(tmp_path / "text"))


def test_a_taken_folder_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.tex").write_text("precious")
    missing = CountRecipe(stage="count", path=str(tmp_path / "gone"))
    with pytest.raises(InputError, match="the folder is not empty"):
        execute(missing, tmp_path / "run")


def test_what_the_folder_forbids_is_said_before_anything_is_read(tmp_path: Path, recipe: CountRecipe) -> None:
    folder, _ = execute(recipe, tmp_path / "run")
    missing = recipe.model_copy(update={"path": str(tmp_path / "gone")})
    with pytest.raises(InputError, match="the recipe differs from that of the run at path"):
        execute(missing, folder.path, resume=True)
    with pytest.raises(InputError, match="--resume and --overwrite exclude each other"):
        execute(missing, folder.path, resume=True, overwrite=True)
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "thesis.tex").write_text("precious")
    with pytest.raises(InputError, match="the folder holds something that is not a run"):
        execute(missing, tmp_path / "thesis", overwrite=True)


def test_a_run_does_not_remove_what_it_reads(tmp_path: Path, recipe: CountRecipe) -> None:
    folder, _ = execute(recipe, tmp_path / "run")
    (folder.path / "words").write_text("three more words\n")
    own = recipe.model_copy(update={"path": str(folder.path / "words")})
    with pytest.raises(InputError, match="an input lies in the folder to overwrite"):
        execute(own, folder.path, overwrite=True)
    assert (folder.path / "words").read_text() == "three more words\n"


def test_what_cannot_be_read_leaves_no_folder_and_an_old_run_as_it_was(tmp_path: Path, recipe: CountRecipe) -> None:
    folder, _ = execute(recipe, tmp_path / "run")
    before = folder.metrics_file.read_bytes()
    missing = recipe.model_copy(update={"path": str(tmp_path / "gone")})
    for out in (tmp_path / "new", folder.path):
        with pytest.raises(FileNotFoundError):  # what the stage raised, as it is
            execute(missing, out, overwrite=True)
    assert not (tmp_path / "new").exists()
    assert folder.metrics_file.read_bytes() == before


def test_a_run_is_replaced_or_gone_on_with_only_if_that_is_asked_for(tmp_path: Path, recipe: CountRecipe) -> None:
    folder, first = execute(recipe, tmp_path / "run")
    with pytest.raises(InputError, match="the folder is not empty"):
        execute(recipe, folder.path)
    assert execute(recipe, folder.path, resume=True)[1] == first
    assert execute(recipe, folder.path, overwrite=True)[1] == first
    with pytest.raises(InputError, match="the recipe differs from that of the run at least, got 1; expected 0"):
        execute(recipe.model_copy(update={"least": 1}), folder.path, resume=True)
    with pytest.raises(InputError, match="exclude each other"):
        execute(recipe, folder.path, resume=True, overwrite=True)


def test_a_helping_process_writes_nothing(tmp_path: Path, recipe: CountRecipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    folder, result = execute(recipe, tmp_path / "run")
    assert (folder.follower, folder.path.exists(), result is not None) == (True, False, True)


def test_a_run_without_a_seed_records_0(tmp_path: Path, recipe: CountRecipe) -> None:
    folder, _ = execute(recipe, tmp_path / "run")
    assert folder.read_record()["seed"] == 0
    assert json.loads(folder.metrics_file.read_text())["schema"] == "prmkit/count/1"


def test_inputs_are_local_and_named_once(tmp_path: Path) -> None:
    sets = {
        "a": ResponsesConfig(trees="runs/x/trees.jsonl"),
        "b": ResponsesConfig(trees="runs/x/trees.jsonl", select="chosen"),
        "c": ResponsesConfig(file="hub:org/name"),
    }
    recipe = SimilarityRecipe(stage="similarity", reference=ReferenceConfig(name="m"), sets=sets)
    assert inputs_of(recipe) == [Path("runs/x/trees.jsonl")]


def test_a_chat_template_from_a_file_is_an_input_wherever_its_format_stands() -> None:
    def policy(file: str | None) -> dict[str, Any]:
        return {"name": "m", "format": {"template_file": file}}

    recipe = AnnotateRecipe.model_validate(
        {
            "stage": "annotate",
            "problems": [{"benchmark": "gsm8k", "path": "rows.jsonl"}],
            "generator": policy("a.jinja"),
            "annotators": [{"generator": policy("b.jinja")}, {"name": "two", "generator": policy(None)}],
            "consensus": {},
        }
    )
    assert inputs_of(recipe) == [Path("rows.jsonl"), Path("a.jinja"), Path("b.jinja")]


def test_a_study_is_run_by_its_own_verb() -> None:
    with pytest.raises(InputError, match=r"the recipe has a verb of its own, got 'study'. Run it with `prmkit study`"):
        prepare(StudyRecipe(stage="study", title="t"))
