"""The recipes that come with prmkit, found by looking, so that no list of them can go stale."""

from pathlib import Path

from prmkit.errors import InputError, did_you_mean

FRAGMENT_FOLDERS = ("models", "datasets", "generators", "strategies", "benchmarks", "studies")
"""Folders whose files cells extend. Every other file in a folder of ``recipes/`` is a cell."""


def recipes_root() -> Path:
    """The folder of the recipes: in a wheel within the package, in a checkout beside it."""
    package = Path(__file__).parents[1]
    inside = package / "recipes"
    return inside if inside.is_dir() else package.parent / "recipes"


def find_recipes() -> dict[str, Path]:
    """The cells by name, such as ``prm800k/7b``, sorted."""
    root = recipes_root()
    cells = {path.relative_to(root).with_suffix("").as_posix(): path for path in root.glob("*/**/*.yaml")}
    return {name: cells[name] for name in sorted(cells) if name.split("/")[0] not in FRAGMENT_FOLDERS}


def locate(recipe: str) -> Path:
    """The file that a user means: a path, or the name of a recipe that comes with prmkit.

    Raises:
        InputError: it is neither.
    """
    path = Path(recipe)
    if path.is_file():
        return path
    cells = find_recipes()
    name = recipe.removeprefix("recipes/").removesuffix(".yaml")
    if name in cells:
        return cells[name]
    raise InputError(
        "no such recipe",
        where=recipe,
        expected="a file, or a name that `prmkit recipes list` shows",
        cure=did_you_mean(name, cells),
    )
