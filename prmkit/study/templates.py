"""Texts with names in braces: ``{size}`` is the value of an axis, ``{size.layers}`` what it stands for, ``{train}`` the
folder of a run at the same values.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from prmkit.errors import InputError, did_you_mean

_NAME = re.compile(r"\{([A-Za-z_][\w-]*)(?:\.([\w-]+))?\}")


class Name(NamedTuple):
    """A name in a template, and the field of it that is meant."""

    name: str
    field: str | None

    def __str__(self) -> str:
        """The name as it is written."""
        return self.name if self.field is None else f"{self.name}.{self.field}"


def names_in(value: Any) -> Iterator[Name]:
    """Every name in the texts of a value, mappings and lists looked through."""
    for text in _texts(value):
        yield from (Name(name, field or None) for name, field in _NAME.findall(text))


def filled(value: Any, meaning: Callable[[Name], Any]) -> Any:
    """The value with each name replaced by what it means; a text that is one name alone becomes that value itself."""
    if isinstance(value, Mapping):
        return {key: filled(each, meaning) for key, each in value.items()}
    if isinstance(value, list):
        return [filled(each, meaning) for each in value]
    if not isinstance(value, str):
        return value
    whole = _NAME.fullmatch(value)
    if whole:
        return meaning(Name(whole[1], whole[2]))
    return _NAME.sub(lambda found: str(meaning(Name(found[1], found[2]))), value)


def unknown_name(name: str, known: Mapping[str, object] | list[str], *, where: object) -> InputError:
    """The error of a name that stands for nothing."""
    return InputError(
        "a name in braces stands for nothing",
        where=where,
        got=name,
        expected=f"one of {', '.join(known)}" if known else "an axis or a run",
        cure=did_you_mean(name, known),
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for each in value.values():
            yield from _texts(each)
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each)
