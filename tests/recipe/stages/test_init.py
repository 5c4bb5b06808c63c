import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

from prmkit.errors import InputError
from prmkit.recipe.bind import bind, json_schema
from prmkit.recipe.compose import compose
from prmkit.recipe.execute import execute, inputs_of
from prmkit.recipe.keys import legal_keys
from prmkit.recipe.stage import Resources
from prmkit.recipe.stages import STAGES, Entry, stage_named, stage_of
from prmkit.run.results import Result, read_result
from prmkit.yaml_io import read_yaml
from tests.recipe.stages.made_up import CountRecipe, CountResult

MADE_UP = Entry("tests.recipe.stages.made_up", "count", "Count the words of a file.")


@pytest.mark.parametrize("name", STAGES)
def test_every_stage_of_the_table_is_there_under_its_own_name(name: str) -> None:
    stage = stage_named(name)
    assert get_args(stage.recipe.model_fields["stage"].annotation) == (name,)
    assert stage.recipe.model_config["extra"] == "forbid"
    kind = stage.result({"compare": {}})
    assert issubclass(kind, Result)
    assert STAGES[name].verb.replace(" ", "-") == name  # so a verb is guessed from a recipe, and back


def test_results_of_different_stages_are_never_taken_for_each_other() -> None:
    kinds = [stage_named(name).result({}).kind for name in STAGES]
    assert len(set(kinds)) == len(kinds)
    assert stage_named("search").result({"compare": {"beam": {}}}).kind == "side-by-side"


@pytest.mark.parametrize("name", STAGES)
def test_every_key_of_every_recipe_is_explained(name: str) -> None:
    keys = list(legal_keys(stage_named(name).recipe))
    assert all(key.meaning for key in keys), [key.name for key in keys if not key.meaning]
    assert json_schema(name)["type"] == "object"


def test_a_stage_that_is_not_there_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"f:1: unknown stage, got 'serch'; expected one of .* Did you mean search\?"):
        stage_named("serch", where="f:1")
    with pytest.raises(InputError, match="unknown stage, got None"):
        stage_named(None)


def test_a_made_up_stage_is_composed_run_resumed_and_planned_by_one_entry_of_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(STAGES, "count", MADE_UP)  # type: ignore[arg-type]  # a dict
    (tmp_path / "text").write_text("one\ntwo words\nthree words here\n")
    (tmp_path / "recipe.yaml").write_text(f"stage: count\npath: {tmp_path}/text\n")
    recipe = bind(compose(tmp_path / "recipe.yaml", ["least=2"]))
    assert recipe == CountRecipe(stage="count", path=f"{tmp_path}/text", least=2)
    assert inputs_of(recipe) == [tmp_path / "text"]
    assert stage_of(recipe).cost(recipe, Resources()) == f"reads {tmp_path}/text"
    folder, result = execute(recipe, tmp_path / "run")
    assert result == CountResult(lines=2, words=result.words)  # type: ignore[union-attr]
    assert (result.words.value, result.words.n) == (2.5, 2)  # type: ignore[union-attr]
    assert read_result(folder.metrics_file, CountResult) == result
    again = bind(compose(folder.record))
    assert again == recipe
    assert list(read_yaml(folder.record).values["inputs"]) == [f"{tmp_path}/text"]


def test_a_made_up_stage_has_a_command_and_stands_in_a_report(tmp_path: Path) -> None:
    """In a process of its own, since the commands are made when prmkit is imported."""
    (tmp_path / "text").write_text("one\ntwo words\n")
    (tmp_path / "recipe.yaml").write_text(f"stage: count\npath: {tmp_path}/text\n")
    program = (
        "import sys; from prmkit.recipe.stages import STAGES, Entry; "
        f"STAGES['count'] = Entry({MADE_UP.module!r}, 'count', 'Count the words of a file.'); "
        "from prmkit.commands import main; sys.argv[1:] = sys.argv[1:]; main()"
    )

    def prmkit(*arguments: object) -> str:
        words = [sys.executable, "-c", program, *map(str, arguments)]
        done = subprocess.run(words, capture_output=True, text=True, cwd=Path(__file__).parents[3], check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    assert "Count the words of a file." in prmkit("--help")
    assert "least" in prmkit("recipes", "schema", "count")
    assert "--resume" in prmkit("count", "--help")
    dry = prmkit("count", tmp_path / "recipe.yaml", "--dry-run", "--set", "least=1")
    assert "--set" in dry
    printed = prmkit("count", tmp_path / "recipe.yaml", "--out", tmp_path / "run")
    assert "words  1.5000 ± 0.5000 (n = 2)" in printed
    prmkit("report", tmp_path / "run", "--markdown", "--out", tmp_path / "report.md")
    page = (tmp_path / "report.md").read_text()
    assert "1.500 ± 0.500" in page
