from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.recipe import catalog
from prmkit.recipe.catalog import find_recipes, locate


def test_cells_are_found_by_looking_and_fragments_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("base.yaml", "models/m.yaml", "datasets/d.yaml", "search/beam.yaml", "paper/table1/row.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.setattr(catalog, "recipes_root", lambda: tmp_path)
    assert list(find_recipes()) == ["paper/table1/row", "search/beam"]


@pytest.mark.parametrize("given", ["prm800k/7b", "prm800k/7b.yaml", "recipes/prm800k/7b.yaml"])
def test_a_recipe_is_known_by_its_name_from_any_folder(
    given: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert locate(given) == find_recipes()["prm800k/7b"]


def test_a_file_goes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").touch()
    assert locate("mine.yaml") == Path("mine.yaml")


def test_a_wrong_name_gets_the_nearest() -> None:
    with pytest.raises(InputError, match=r"prm800/7b.yaml: no such recipe; expected .* Did you mean prm800k/7b\?"):
        locate("prm800/7b.yaml")
