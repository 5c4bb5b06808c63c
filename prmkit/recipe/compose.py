"""From a recipe file, the fragments it extends and the overrides to one mapping whose every value has an origin.

Only a cell extends, so there are neither diamonds nor cycles; its fragments own disjoint subtrees, so their order means
nothing. Mappings merge, and anything else is replaced.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prmkit.errors import InputError, InputErrors
from prmkit.yaml_io import Document, KeyPath, parse_value, read_yaml

OVERRIDE = "--set"
COMMAND = "command line"


@dataclass(frozen=True, slots=True, kw_only=True)
class Composed:
    """The values of a recipe, and where each came from: ``file:line`` or ``--set``."""

    path: Path
    values: dict[str, Any]
    origins: dict[KeyPath, str]

    def origin(self, path: KeyPath) -> str:
        """Where the value of a key came from; of a key that is not there, where the mapping around it came from."""
        while path and path not in self.origins:
            path = path[:-1]
        return self.origins[path] if path else str(self.path)


def compose(path: Path, overrides: Sequence[str] = ()) -> Composed:
    """The values that a recipe means.

    Args:
        path: a cell, or the run.yaml of an earlier run, whose recipe is replayed.
        overrides: texts ``train.lr=2e-5``; the value is YAML.

    Raises:
        InputErrors: with ``file:line``, all at once: a file is missing or no YAML, a fragment extends others, two
            fragments set one key, or an override is none.
    """
    errors: list[InputError] = []
    document = read_yaml(path)
    if isinstance(document.values.get("recipe"), dict):
        composed = _part(path, document, ("recipe",))
    else:
        fragments = _fragments(path, document, errors)
        _refuse_overlaps(fragments, errors)
        composed = Composed(path=path, values={}, origins={})
        for part in [*fragments, _part(path, document)]:
            composed = merge(composed, part)
    try:
        composed = override(composed, overrides)
    except InputErrors as error:
        errors += error.errors
    if errors:
        raise InputErrors(errors)
    return composed


def blank(stage: str) -> Composed:
    """A recipe that says nothing but its stage, for verbs whose arguments say the rest."""
    return Composed(path=Path(stage), values={"stage": stage}, origins={("stage",): COMMAND})


def with_values(composed: Composed, values: Mapping[str, Any], origin: str = COMMAND) -> Composed:
    """The recipe with some values on top, by dotted key."""
    for name, value in values.items():
        composed = merge(composed, _at(composed.path, tuple(name.split(".")), value, origin))
    return composed


def override(composed: Composed, texts: Sequence[str]) -> Composed:
    """The values with those of ``--set``, which win.

    Raises:
        InputErrors: a text is no ``key.path=value``.
    """
    errors: list[InputError] = []
    for text in texts:
        try:
            composed = merge(composed, _override(composed.path, text))
        except InputError as error:
            errors.append(error)
    if errors:
        raise InputErrors(errors)
    return composed


def merge(below: Composed, above: Composed) -> Composed:
    """Both together; what stands above wins."""
    values, origins = dict(below.values), dict(below.origins)
    _merge_into(values, above.values, (), origins)
    return Composed(path=above.path, values=values, origins=above.origins | origins)


def leaves(values: Mapping[str, Any], path: KeyPath = ()) -> Iterator[tuple[KeyPath, Any]]:
    """Every value that is no mapping of keys, with the keys that lead to it; an empty mapping is a value."""
    for key, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from leaves(value, (*path, key))
        else:
            yield (*path, key), value


def _part(path: Path, document: Document, under: KeyPath = ()) -> Composed:
    """The values of one file, or of the mapping that the keys ``under`` lead to."""
    values: Any = document.values
    for key in under:
        values = values[key]
    origins = {
        keys[len(under) :]: f"{path}:{line}"
        for keys, line in document.lines.items()
        if keys[: len(under)] == under and len(keys) > len(under)
    }
    if not under:
        values = {key: value for key, value in values.items() if key != "extends"}
        origins = {keys: origin for keys, origin in origins.items() if keys[0] != "extends"}
    return Composed(path=path, values=values, origins=origins)


def _fragments(cell: Path, document: Document, errors: list[InputError]) -> list[Composed]:
    if "extends" not in document.values:
        return []
    where, names = f"{cell}:{document.lines['extends',]}", document.values["extends"]
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        errors.append(InputError("illegal extends", where=where, got=names, expected="a list of files"))
        return []
    fragments = []
    for name in names:
        try:
            fragments.append(_fragment(Path(os.path.normpath(cell.parent / name)), where))
        except InputError as error:
            errors.append(error)
    return fragments


def _fragment(path: Path, where: str) -> Composed:
    if not path.is_file():
        raise InputError("the recipe extends a missing file", where=where, got=str(path))
    document = read_yaml(path)
    if "extends" in document.values:
        raise InputError(
            "a fragment extends others",
            where=f"{path}:{document.lines['extends',]}",
            expected="only a cell to extend",
            cure=f"Move the line to {where}.",
        )
    return _part(path, document)


def _refuse_overlaps(fragments: Sequence[Composed], errors: list[InputError]) -> None:
    owners: dict[KeyPath, str] = {}
    for fragment in fragments:
        mine = {keys: fragment.origin(keys) for keys, _ in leaves(fragment.values)}
        for keys, origin in mine.items():
            for owned, owner in owners.items():
                shorter = min(len(keys), len(owned))
                if keys[:shorter] == owned[:shorter]:
                    errors.append(
                        InputError(
                            f"two fragments set {'.'.join(keys)}",
                            where=origin,
                            expected=f"one owner, and {owner} is one",
                            cure="Set it in the cell, or in one fragment.",
                        )
                    )
                    break
        owners |= mine


def _override(path: Path, text: str) -> Composed:
    name, equals, value = text.partition("=")
    keys = tuple(name.strip().split("."))
    if not equals or not all(keys):
        raise InputError("illegal override", where=OVERRIDE, got=text, expected="key.path=value")
    return _at(path, keys, parse_value(value, where=f"{OVERRIDE} {name}"), OVERRIDE)


def _at(path: Path, keys: KeyPath, value: Any, origin: str) -> Composed:
    """One value, in the mappings that lead to it, all of the same origin."""
    origins = {(*keys, *inner): origin for inner, _ in leaves(value)} if isinstance(value, dict) else {}
    for length in range(len(keys), 0, -1):
        origins[keys[:length]] = origin
        value = {keys[length - 1]: value}
    return Composed(path=path, values=value, origins=origins)


def _merge_into(values: dict[str, Any], above: Mapping[str, Any], path: KeyPath, origins: dict[KeyPath, str]) -> None:
    for key, value in above.items():
        here = (*path, key)
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            values[key] = dict(values[key])
            _merge_into(values[key], value, here, origins)
            continue
        values[key] = value
        for stale in [keys for keys in origins if keys[: len(here)] == here]:
            del origins[stale]
