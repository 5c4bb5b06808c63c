"""The legal keys of a recipe, read off its pydantic models: what stands below a key, and what a key means."""

from collections.abc import Iterable, Iterator, Sequence
from types import UnionType
from typing import Annotated, Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from prmkit.yaml_io import KeyPath


class Key(NamedTuple):
    """A legal key: its path with dots, its type and default as text, and its meaning."""

    name: str
    type: str
    default: str
    meaning: str


def fields_at(model: type[BaseModel], path: Sequence[str]) -> dict[str, FieldInfo]:
    """The fields that may stand in the mapping that ``path`` leads to; none where anything may stand."""
    models, named = [model], False
    for key in path:
        if named or key.isdecimal():  # an entry of a mapping or list, whose models stand for each of them already
            named = False
            continue
        annotations = [each.model_fields[key].annotation for each in models if key in each.model_fields]
        models = [found for annotation in annotations for found in _models_in(annotation)]
        named = any(get_origin(annotation) is dict for annotation in annotations)
    return {name: field for each in models for name, field in each.model_fields.items()}


def legal_keys(model: type[BaseModel], path: KeyPath = ()) -> Iterator[Key]:
    """Every key of a recipe that holds a value, once each, in the order of the configs.

    Where a key has several shapes, such as the engines, all their keys are listed.
    """
    for name, field in model.model_fields.items():
        inner = _models_in(field.annotation)
        if inner:
            yield from _merged(key for each in dict.fromkeys(inner) for key in legal_keys(each, (*path, name)))
        else:
            default = "required" if field.is_required() else repr(field.get_default(call_default_factory=True))
            yield Key(".".join((*path, name)), _plain(field.annotation), default, field.description or "")


def _merged(keys: Iterable[Key]) -> Iterator[Key]:
    """Keys of one name as one, with the types of all and the default of the first."""
    by_name: dict[str, list[Key]] = {}
    for key in keys:
        by_name.setdefault(key.name, []).append(key)
    for found in by_name.values():
        yield found[0]._replace(type=" | ".join(dict.fromkeys(key.type for key in found)))


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    if get_origin(annotation) in (Union, UnionType, Annotated, list, tuple, dict):
        return [model for part in get_args(annotation) for model in _models_in(part)]
    return []


def _plain(annotation: Any) -> str:
    origin, parts = get_origin(annotation), get_args(annotation)
    if annotation is type(None):
        return "none"
    if origin in (Union, UnionType):
        return " | ".join(_plain(part) for part in parts)
    if origin is Annotated:
        return _plain(parts[0])
    if not parts:
        return str(getattr(annotation, "__name__", annotation))
    if not isinstance(origin, type):
        return " | ".join(map(str, parts))
    return f"{origin.__name__}[{', '.join(_plain(part) for part in parts)}]"
