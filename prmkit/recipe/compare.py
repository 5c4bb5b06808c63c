"""``--strategy a,b,c``: a search recipe with other strategies than it names."""

from collections.abc import Sequence
from typing import Any

from prmkit.errors import InputError
from prmkit.recipe.compose import Composed, leaves
from prmkit.search.options import takes

_ORIGIN = "--strategy"


def with_strategies(composed: Composed, names: Sequence[str]) -> Composed:
    """The recipe with this strategy, or with these side by side.

    Each has the options that the recipe gives it under ``compare``, or those of its ``strategy`` that it takes.

    Raises:
        InputError: a name is no strategy, or stands there twice.
    """
    if len(set(names)) < len(names):
        raise InputError("a strategy stands there twice", where=_ORIGIN, got=",".join(names))
    named = composed.values.get("compare") or {}
    options = (composed.values.get("strategy") or {}).get("options") or {}
    chosen: dict[str, Any] = {
        name: named.get(name, {"name": name, "options": {key: options[key] for key in options if takes(name, key)}})
        for name in names
    }
    values = {key: value for key, value in composed.values.items() if key not in ("strategy", "compare")}
    values |= {"strategy": chosen[names[0]]} if len(names) == 1 else {"compare": chosen}
    origins = {path: origin for path, origin in composed.origins.items() if path[0] not in ("strategy", "compare")}
    new: dict[str, Any] = {key: values[key] for key in ("strategy", "compare") if key in values}
    origins |= {path[:length]: _ORIGIN for path, _ in leaves(new) for length in range(1, len(path) + 1)}
    return Composed(path=composed.path, values=values, origins=origins)
