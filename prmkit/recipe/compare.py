"""``--strategy a,b,c``: a search recipe with other strategies than it names.

A strategy that the recipe does not name is that of ``recipes/strategies/NAME.yaml``, in place of the fragment that the
recipe's own came from; what the recipe itself or ``--set`` says of its options and of the budget wins.
"""

from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from typing import Any

from prmkit.errors import InputError
from prmkit.recipe.catalog import recipes_root
from prmkit.recipe.compose import OVERRIDE, Composed, compose, leaves, merge
from prmkit.search import STRATEGIES
from prmkit.search.options import takes
from prmkit.yaml_io import KeyPath

_ORIGIN = "--strategy"
_STRATEGY, _COMPARE, _BUDGET = ("strategy",), ("compare",), ("budget",)
_OPTIONS = (*_STRATEGY, "options")


def with_strategies(composed: Composed, names: Sequence[str]) -> Composed:
    """The recipe with this strategy, or with these side by side.

    A strategy that the recipe names, as its ``strategy`` or under ``compare``, is as it stands there. Any other has the
    options of its fragment, over which go those of the recipe's ``strategy`` that it takes, except those that came from
    a fragment. A strategy without a fragment, such as somebody's own, has all those of the recipe that it takes.

    The budget is the recipe's. But where the recipe's strategy came from a fragment, or it has none, a single strategy
    brings the budget of its own fragment, and what came from the other goes. Several share one budget and bring none.
    What a fragment says besides, as that of ``majority`` says that it needs no PRM, a single strategy always brings.

    Raises:
        InputError: a name is no strategy, or stands there twice; or ``--set`` gives an option that none of them takes.
    """
    if len(set(names)) < len(names):
        raise InputError("a strategy stands there twice", where=_ORIGIN, got=",".join(names))
    fragments = {name: None if _place(composed, name) else _fragment(name) for name in names}
    _refuse_lost_options(composed, [name for name in names if _place(composed, name) is None])
    chosen = {name: _chosen(composed, name, fragments[name]) for name in names}
    rest = _without(composed, [_STRATEGY, _COMPARE])
    if len(names) > 1:
        return reduce(merge, [_part(chosen[name], _STRATEGY, (*_COMPARE, name)) for name in names], rest)
    (name,) = names
    fragment = fragments[name]
    if fragment is not None:
        if not _written_out(composed):
            rest = merge(_without(fragment, [_STRATEGY]), _without(rest, _brought(composed)))
        rest = merge(rest, _without(fragment, [_STRATEGY, _BUDGET]))
    return merge(rest, chosen[name])


def _place(composed: Composed, name: str) -> KeyPath | None:
    """Where the recipe names the strategy, if it does."""
    if name in _mapping(composed, _COMPARE):
        return (*_COMPARE, name)
    return _STRATEGY if _mapping(composed, _STRATEGY).get("name") == name else None


def _fragment(name: str) -> Composed | None:
    """What ``recipes/strategies`` says of a strategy, if anything. Raises InputError if there is no such strategy."""
    STRATEGIES.load(name)
    path = recipes_root() / "strategies" / f"{name}.yaml"
    return compose(path) if name in STRATEGIES.builtin and path.is_file() else None


def _chosen(composed: Composed, name: str, fragment: Composed | None) -> Composed:
    """The strategy, under ``strategy``."""
    place = _place(composed, name)
    if place is not None:
        return _part(composed, place, _STRATEGY)
    named: dict[str, Any] = {"strategy": {"name": name, "options": {}}}
    below = Composed(path=composed.path, values=named, origins={(*_STRATEGY, "name"): _ORIGIN})
    options = [(*_OPTIONS, key) for key in _mapping(composed, _OPTIONS) if takes(name, key)]
    if fragment is not None:
        below = merge(_part(fragment, _STRATEGY, _STRATEGY), below)
        options = [path for path in options if path not in _brought(composed)]
    return reduce(merge, [_part(composed, path, path) for path in options], below)


def _sources(composed: Composed) -> set[str]:
    """The files that brought the recipe's strategies; of ``--set``, which is none, an empty text."""
    return {_file(composed.origins[path]) for path in (_STRATEGY, _COMPARE) if path in composed.origins}


def _written_out(composed: Composed) -> bool:
    """Whether the recipe itself, or ``--set``, names strategies, and not a fragment."""
    return not _sources(composed).isdisjoint((str(composed.path), ""))


def _brought(composed: Composed) -> set[KeyPath]:
    """The values of strategy and budget that came from the fragment which brought the recipe's strategy."""
    fragments = _sources(composed) - {str(composed.path), ""}
    paths = [path for path, _ in leaves(composed.values) if path[:1] in (_STRATEGY, _BUDGET)]
    return {path for path in paths if _file(composed.origin(path)) in fragments}


def _file(origin: str) -> str:
    return origin.rpartition(":")[0]


def _mapping(composed: Composed, under: KeyPath) -> Mapping[str, Any]:
    """What stands under a key; an empty mapping if that is no mapping, of which ``bind`` will complain."""
    values: Any = composed.values
    for key in under:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values if isinstance(values, Mapping) else {}


def _part(composed: Composed, under: KeyPath, place: KeyPath) -> Composed:
    """What stands under a key, and nothing else, in another place."""
    values: Any = composed.values
    for key in under:
        values = values[key]
    for key in reversed(place):
        values = {key: values}
    origins = {
        (*place, *path[len(under) :]): origin
        for path, origin in composed.origins.items()
        if path[: len(under)] == under
    }
    return Composed(path=composed.path, values=values, origins=origins)


def _without(composed: Composed, gone: Collection[KeyPath]) -> Composed:
    """All but what stands under these keys."""

    def kept(values: Mapping[str, Any], path: KeyPath = ()) -> dict[str, Any]:
        return {
            key: kept(value, (*path, key)) if isinstance(value, dict) else value
            for key, value in values.items()
            if (*path, key) not in gone
        }

    origins = {
        path: origin for path, origin in composed.origins.items() if not any(path[: len(each)] == each for each in gone)
    }
    return Composed(path=composed.path, values=kept(composed.values), origins=origins)


def _refuse_lost_options(composed: Composed, names: Sequence[str]) -> None:
    for key, value in _mapping(composed, _OPTIONS).items():
        if names and composed.origin((*_OPTIONS, key)) == OVERRIDE and not any(takes(name, key) for name in names):
            where = f"{OVERRIDE} {'.'.join((*_OPTIONS, key))}"
            raise InputError(
                "no strategy takes the option", where=where, got=value, expected=f"one that {' or '.join(names)} takes"
            )
