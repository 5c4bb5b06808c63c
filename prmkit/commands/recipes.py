"""``prmkit recipes``: which recipes there are, what one means, and what one may say."""

from typing import Annotated

import typer

from prmkit.commands.console import JsonOption, RecipeArgument, SetOption, print_json, print_table
from prmkit.commands.runs import composed_recipe

app = typer.Typer(help="List, show and describe recipes.", rich_markup_mode=None)


@app.callback(invoke_without_command=True)
def _list_without_verb(context: typer.Context, as_json: JsonOption = False) -> None:
    if context.invoked_subcommand is None:
        list_recipes(as_json)


@app.command("list")
def list_recipes(as_json: JsonOption = False) -> None:
    """List the recipes that come with prmkit."""
    from prmkit.recipe.catalog import find_recipes

    rows = []
    for name, path in find_recipes().items():
        first = path.read_text(encoding="utf-8").partition("\n")[0]
        rows.append((name, first.removeprefix("#").strip() if first.startswith("#") else "", str(path)))
    if as_json:
        print_table(("name", "about", "path"), rows, as_json=True)
    else:
        print_table(("name", "about"), [row[:2] for row in rows], as_json=False)


@app.command("show")
def show_recipe(recipe: RecipeArgument, overrides: SetOption = None, as_json: JsonOption = False) -> None:
    """Print every value of a recipe and where it came from."""
    from prmkit.recipe.bind import RecipeValue, bind, describe

    composed = composed_recipe(recipe, overrides)
    print_table(RecipeValue._fields, describe(composed, bind(composed)), as_json=as_json)


@app.command("schema")
def show_schema(
    stage: Annotated[str, typer.Argument(help="The stage, such as train.")], as_json: JsonOption = False
) -> None:
    """Print every key that a recipe may say, its type, default and meaning; with --json, the JSON schema."""
    from prmkit.recipe.bind import json_schema, recipe_model
    from prmkit.recipe.keys import Key, legal_keys

    if as_json:
        print_json(json_schema(stage))
    else:
        print_table(Key._fields, list(legal_keys(recipe_model(stage))), as_json=False)
