"""Recipes that come with prmkit, bound."""

from typing import Any

from prmkit.recipe.bind import bind
from prmkit.recipe.catalog import locate
from prmkit.recipe.compose import compose


def bound(name: str, *overrides: str) -> Any:
    """The recipe of that name with some values set."""
    return bind(compose(locate(name), overrides))
