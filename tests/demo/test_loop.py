import json
from pathlib import Path

import pytest

from prmkit.demo.loop import HOME, moved_recipe, run_demo
from prmkit.errors import InputError
from prmkit.models.backbone import load_causal_lm
from prmkit.recipe.catalog import locate
from prmkit.recipe.compose import compose, leaves
from prmkit.recipe.stages.search import SearchRecipe
from prmkit.trees_io import read_trees
from prmkit.world import WEIGHTS, make_world


def test_the_shipped_models_are_small_and_load(tmp_path: Path) -> None:
    make_world(tmp_path / "world", None)
    files = [file for file in WEIGHTS.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 2_000_000
    for name in ("policy", "backbone"):
        model, tokenizer = load_causal_lm(str(tmp_path / "world" / name))
        assert len(tokenizer) == model.config.vocab_size


def test_every_path_of_the_recipes_moves_with_the_demo(tmp_path: Path) -> None:
    recipe = moved_recipe("search-math", tmp_path / "it's here: #1")
    assert isinstance(recipe, SearchRecipe)
    assert recipe.generator.name == f"{tmp_path}/it's here: #1/world/policy"
    for name in ("annotate", "train", "search-math", "search-code", "similarity"):
        values = [value for _, value in leaves(compose(locate(f"synthetic/{name}")).values) if isinstance(value, str)]
        assert any(value.startswith(f"{HOME}/") for value in values)


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    for overwrite in (False, True):
        with pytest.raises(InputError):
            run_demo(tmp_path, from_scratch=False, overwrite=overwrite, say=lambda line: None)
    assert (tmp_path / "thesis.tex").read_text() == "precious"


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_the_whole_loop_keeps_its_promise(tmp_path: Path) -> None:
    summary = run_demo(tmp_path / "demo", from_scratch=False, overwrite=False, say=lambda line: None)
    assert json.loads((tmp_path / "demo" / "summary.json").read_text()) == summary
    for name in ("synthetic-math", "synthetic-code"):
        figures = summary[name]
        assert figures["prm@8"]["n"] >= 200
        for difference in ("prm@8 - pass@1", "prm@8 - maj@8"):
            better = figures["differences"][difference]
            assert better["value"] > 2 * better["stderr"], (name, difference)
    assert "Trees and solutions" in (tmp_path / "demo" / "report.html").read_text(encoding="utf-8")
    assert (tmp_path / "demo" / "search-math" / "attributions.jsonl").is_file()
    trained = {tree.problem.prompt for tree in read_trees(tmp_path / "demo" / "annotate" / "trees.jsonl")}
    tested = {
        tree.problem.prompt
        for domain in ("math", "code")
        for tree in read_trees(tmp_path / "demo" / f"search-{domain}" / "trees.jsonl")
    }
    assert not trained & tested
