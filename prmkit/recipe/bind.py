"""From composed values to a recipe object: all errors at once, each with its place and the nearest legal word."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from prmkit.errors import InputError, InputErrors, did_you_mean
from prmkit.recipe.compose import Composed, leaves
from prmkit.recipe.keys import fields_at, legal_keys
from prmkit.recipe.stages import STAGES, stage_named
from prmkit.yaml_io import KeyPath

Kind = TypeVar("Kind", bound=BaseModel)


class RecipeValue(NamedTuple):
    """One value of a recipe: its key with dots, the value, and where it came from."""

    key: str
    value: Any
    origin: str


def bind(composed: Composed) -> BaseModel:
    """The recipe object of the stage that the recipe names; nothing but the recipe itself is looked at.

    Raises:
        InputErrors: every unknown, missing and illegal key, with ``file:line``.
    """
    return _validate(composed, recipe_model(composed.values.get("stage"), where=composed.origin(("stage",))))


def bind_stage(composed: Composed, stage: str) -> BaseModel:
    """The recipe object, if it is one of the wanted stage.

    Raises:
        InputErrors: it is one of another stage, or ``bind`` refuses it.
    """
    got, where = composed.values.get("stage"), composed.origin(("stage",))
    model = recipe_model(got, where=where)
    if got != stage:
        cure = f"Run it with `prmkit {STAGES[str(got)].verb}`."
        error = InputError("the recipe is for another verb", where=where, got=got, expected=stage, cure=cure)
        raise InputErrors([error])
    return _validate(composed, model)


def recipe_model(stage: object, *, where: object = None) -> type[BaseModel]:
    """The recipe class of a stage. Raises InputErrors if there is no such stage."""
    try:
        model: type[BaseModel] = stage_named(stage, where=where).recipe
    except InputError as error:
        raise InputErrors([error]) from None
    return model


def describe(composed: Composed, recipe: BaseModel) -> list[RecipeValue]:
    """Every value of a bound recipe and its origin, which is ``default`` for what the recipe does not say."""
    return [
        RecipeValue(".".join(path), value, composed.origins.get(path, "default"))
        for path, value in leaves(recipe.model_dump(mode="json"))
    ]


def json_schema(stage: str) -> dict[str, Any]:
    """The JSON schema of a stage's recipe, for editors.

    Raises:
        InputErrors: there is no such stage.
    """
    return recipe_model(stage).model_json_schema()


def _validate(composed: Composed, kind: type[Kind]) -> Kind:
    try:
        return kind.model_validate(composed.values)
    except ValidationError as error:
        details: dict[KeyPath, list[ErrorDetails]] = {}
        for detail in error.errors(include_url=False):
            details.setdefault(_key_path(detail, composed.values), []).append(detail)
        raise InputErrors(_explain_all(details, composed, kind)) from None


def _key_path(detail: ErrorDetails, values: Any) -> KeyPath:
    """The keys that an error is about; pydantic's own words in ``loc``, such as the members of a union, fall out."""
    path: list[str] = []
    for word in detail["loc"]:
        in_list = isinstance(values, list) and isinstance(word, int) and word < len(values)
        if in_list or (isinstance(values, Mapping) and word in values):
            path.append(str(word))
            values = values[word]
    return (*path, str(detail["loc"][-1])) if detail["type"] == "missing" else tuple(path)


def _explain_all(
    details: Mapping[KeyPath, list[ErrorDetails]], composed: Composed, model: type[BaseModel]
) -> list[InputError]:
    unknown = {path for path, found in details.items() if any(each["type"] == "extra_forbidden" for each in found)}
    nearest = {path: _nearest_key(path, fields_at(model, path[:-1]), model) for path in unknown}
    return [
        _unknown_key(path, nearest[path], composed, model)
        if path in unknown
        else _explain(path, found, composed, model)
        for path, found in details.items()
        # A misspelt key would be reported twice: as unknown, and as missing.
        if not (found[0]["type"] == "missing" and ".".join(path) in nearest.values())
    ]


def _unknown_key(path: KeyPath, nearest: str, composed: Composed, model: type[BaseModel]) -> InputError:
    siblings = fields_at(model, path[:-1])
    return InputError(
        f"unknown key {'.'.join(path)}",
        where=composed.origin(path),
        expected=f"one of {', '.join(siblings)}",
        cure=f"Did you mean {nearest}?" if nearest else "",
    )


def _explain(path: KeyPath, details: list[ErrorDetails], composed: Composed, model: type[BaseModel]) -> InputError:
    key, where, first = ".".join(path), composed.origin(path), details[0]
    if first["type"] == "missing":
        field = fields_at(model, path[:-1]).get(path[-1])
        return InputError(f"missing key {key}", where=where, expected=(field and field.description) or "")
    if first["type"] == "value_error":
        return InputError(f"illegal {key or 'recipe'} ({_expectation(first)})", where=where)
    words = [word for detail in details for word in _literals(detail)]
    given = _value_at(composed.values, path)
    return InputError(
        f"illegal {key}",
        where=where,
        got=given,
        expected=" or ".join(dict.fromkeys(map(_expectation, details))),
        cure=did_you_mean(given, words),
    )


def _nearest_key(path: KeyPath, siblings: Mapping[str, Any], model: type[BaseModel]) -> str:
    *around, name = path
    near = get_close_matches(name, siblings, n=1)
    if near:
        return ".".join([*around, *near])
    # Perhaps the key is right and its place wrong, or the config calls it otherwise and describes it by that word.
    keys = {key.name: key for key in legal_keys(model)}
    found = [key for key in keys if key.split(".")[-1] == name]
    found += [key for key in keys if len(name) > 2 and name.replace("_", " ") in keys[key].meaning]
    return found[0] if found else ""


def _expectation(detail: ErrorDetails) -> str:
    text = detail["msg"].removeprefix("Input should be ").removeprefix("Value error, ")
    if detail["type"] in ("model_type", "dict_type"):
        return "a mapping of keys"
    # What follows in these is why the text is no number, which the shown value says.
    return text.partition(",")[0] if detail["type"].endswith(("_parsing", "_from_float")) else text


def _literals(detail: ErrorDetails) -> Iterator[str]:
    if detail["type"] == "literal_error":
        yield from detail.get("ctx", {})["expected"].replace(" or ", ", ").replace("'", "").split(", ")


def _value_at(values: Any, path: KeyPath) -> Any:
    for key in path:
        values = values[int(key)] if isinstance(values, list) else values[key]
    return values
