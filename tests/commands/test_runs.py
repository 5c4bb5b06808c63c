import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import pytest
import typer

from prmkit import commands
from prmkit.commands.console import RecipeArgument, SetOption
from prmkit.commands.runs import composed_recipe, recipe_verb, table_verb
from prmkit.recipe.compose import Composed, with_values
from prmkit.recipe.stages import STAGES
from tests.commands.conftest import Answer
from tests.recipe.stages import made_up
from tests.recipe.stages.test_init import MADE_UP


def _composed(
    recipe: RecipeArgument,
    overrides: SetOption = None,
    least: Annotated[int | None, typer.Option("--least", help="Words of a line.")] = None,
    only_look: Annotated[bool, typer.Option("--look")] = False,
    as_json: bool = False,
) -> Composed | None:
    """Count, or look."""
    if only_look:
        typer.echo(f"looked, as_json={as_json}")
        return None
    composed = composed_recipe(recipe, overrides)
    return composed if least is None else with_values(composed, {"least": least})


@pytest.fixture(autouse=True)
def verbs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command line with a made-up stage: ``count`` has options of its own, ``plain`` none, ``train`` counts too."""
    monkeypatch.setitem(STAGES, "count", MADE_UP)  # type: ignore[arg-type]  # a dict
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command("count")(recipe_verb("count", _composed, show=lambda result: {"shown": result.as_json()["lines"]}))
    app.command("plain")(table_verb("count", "Count the words of a file."))
    app.command("train")(recipe_verb("train", also=["count"]))
    monkeypatch.setattr(commands, "app", app)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    (tmp_path / "text").write_text("one\ntwo words\nthree words here\n")
    (tmp_path / "lines.yaml").write_text(f"stage: count\npath: {tmp_path}/text\n")
    return tmp_path / "lines.yaml"


def test_a_verb_has_its_own_options_and_those_of_all(prmkit: Callable[..., Answer], recipe: Path) -> None:
    answer = prmkit("count", "--help")
    assert "Count, or look." in answer.out
    for option in ("--least", "--look", "--set", "--out", "--dry-run", "--resume", "--overwrite", "--json"):
        assert answer.out.count(option) >= 1, option
    plain = prmkit("plain", "--help")
    assert "Count the words of a file." in plain.out
    assert "--least" not in plain.out
    rows = json.loads(prmkit("count", recipe, "--least", 2, "--dry-run", "--json").out)
    assert {"key": "least", "value": 2, "origin": "command line"} in rows
    assert {"key": "path", "value": f"{recipe.parent}/text", "origin": f"{recipe}:2"} in rows


def test_what_is_printed_is_chosen_for_people_and_whole_for_programs(
    prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path
) -> None:
    answer = prmkit("count", recipe, "--out", tmp_path / "one")
    assert [line.split() for line in answer.out.splitlines()[1:]] == [["run", f"{tmp_path}/one"], ["shown", "3"]]
    assert answer.err.startswith("count: 3 of 3, ")
    whole = json.loads(prmkit("count", recipe, "--out", tmp_path / "two", "--json").out)
    assert (whole["run"], whole["lines"], whole["words"]["value"]) == (f"{tmp_path}/two", 3, 2.0)
    plain = prmkit("plain", recipe, "--out", tmp_path / "three").out
    assert "words" in plain
    assert "shown" not in plain


def test_a_verb_that_only_looks_runs_nothing_and_is_told_how_to_print(
    prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path
) -> None:
    answer = prmkit("count", recipe, "--look", "--json", "--out", tmp_path / "run")
    assert answer.out == "looked, as_json=True\n"
    assert not (tmp_path / "run").exists()


def test_a_recipe_of_another_verb_is_named_unless_the_verb_runs_it_too(
    prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path
) -> None:
    assert json.loads(prmkit("train", recipe, "--out", tmp_path / "run", "--json").out)["lines"] == 3
    answer = prmkit("plain", "prm800k/7b", "--dry-run")
    assert answer.code == 2
    assert "the recipe is for another verb, got 'train'; expected count. Run it with `prmkit train`." in answer.err
    answer = prmkit("train", "synthetic/world", "--dry-run")
    assert "the recipe is for another verb, got 'world'; expected train. Run it with `prmkit world`." in answer.err


def test_a_run_goes_by_default_below_runs_under_the_name_of_its_recipe(
    prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run = json.loads(prmkit("plain", "lines.yaml", "--json").out)["run"]
    assert run == f"runs/{tmp_path.name}-lines"
    again = prmkit("plain", f"{run}/run.yaml", "--json")  # in another folder than that of the run
    assert json.loads(again.out)["run"] == f"runs/{tmp_path.name}-lines-run"
    assert prmkit("plain", "lines.yaml").code == 2


def test_a_helping_process_prints_nothing(
    prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "1")
    answer = prmkit("plain", recipe, "--out", tmp_path / "run", "--json")
    assert (answer.code, answer.out, (tmp_path / "run").exists()) == (0, "", False)


def interrupt(*_: Any, **__: Any) -> None:
    raise KeyboardInterrupt


def test_an_interrupted_run_says_how_to_go_on_with_it(
    prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "a run"
    with monkeypatch.context() as patched:
        patched.setattr(made_up, "mean", interrupt)
        for option in ((), ("--resume",), ("--overwrite",)):
            answer = prmkit("plain", recipe, "--out", out, *option)
            assert (answer.code, answer.out) == (130, "")
            assert answer.err.endswith(f"interrupted; go on with: prmkit plain {recipe} --out '{out}' --resume\n")
    assert prmkit("plain", recipe, "--out", out, "--resume").code == 0


def test_an_interrupted_overwriting_does_not_go_on_with_what_it_has_not_replaced_yet(
    prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "run"
    assert prmkit("plain", recipe, "--out", out).code == 0
    before = (out / "metrics.json").read_bytes()
    monkeypatch.setattr(made_up, "open", interrupt, raising=False)
    answer = prmkit("plain", recipe, "--out", out, "--overwrite", "--set", "least=2")
    assert answer.code == 130
    assert answer.err.endswith(f"go on with: prmkit plain {recipe} --out {out} --overwrite --set least=2\n")
    assert (out / "metrics.json").read_bytes() == before


def test_what_the_disk_refuses_is_one_line(prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    answer = prmkit("plain", recipe, "--out", tmp_path / "file" / "run")
    assert answer.code == 2
    assert answer.err == f"{tmp_path}/file/run: cannot write ({os.strerror(errno.ENOTDIR)}). Choose another --out.\n"
