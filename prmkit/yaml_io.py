"""YAML as recipes and run files speak it: every key has a line, and what is written reads back the same.

It is YAML 1.1 without its traps: ``3e-4`` is a number, a date is text, a key occurs once, and there are no anchors.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from prmkit.errors import InputError

KeyPath = tuple[str, ...]
"""The keys that lead to a value, outermost first; an item of a list has its index, as text."""

_FLOAT = re.compile(r"^[-+]?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9]+)[eE][-+]?[0-9]+$")


class Document(NamedTuple):
    """The content of a YAML file: a mapping, and the line of each of its keys and items, nested ones included."""

    values: dict[str, Any]
    lines: dict[KeyPath, int]


class _Dialect(yaml.resolver.Resolver):
    """The rules by which plain words become values; loader and dumper share them, so that they agree."""


# PyYAML shares the table with the base class unless it is copied. YAML 1.1 reads 3e-4 as text and 2024-08-01 as a date.
_Dialect.yaml_implicit_resolvers = {
    first: [(tag, rule) for tag, rule in rules if tag != "tag:yaml.org,2002:timestamp"]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Dialect.add_implicit_resolver("tag:yaml.org,2002:float", _FLOAT, list("-+.0123456789"))


class _Loader(_Dialect, yaml.SafeLoader):
    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.events.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(problem="aliases are not used here", problem_mark=mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.tag != "tag:yaml.org,2002:str":
                raise yaml.MarkedYAMLError(problem="a key is not text", problem_mark=key.start_mark)
            if key.value in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key.value!r} stands twice", problem_mark=key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


class _Dumper(_Dialect, yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True

    def represent_text(self, data: str) -> yaml.ScalarNode:
        # PyYAML would write some line breaks plainly, and read them back as a space.
        style = '"' if not data.isprintable() else None
        return self.represent_scalar("tag:yaml.org,2002:str", data, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def read_yaml(path: Path) -> Document:
    """The mapping that a file holds.

    Raises:
        InputError: with ``file:line``: no such file, no YAML, no mapping, or a key that stands twice in one mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError("no such file", where=path, cure="Check the path.") from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the file ({error})", where=path) from None
    node, value = _parse(text, where=str(path))
    if not isinstance(node, yaml.MappingNode):
        raise InputError("the file holds no keys", where=f"{path}:1", got=value, expected="key: value")
    lines: dict[KeyPath, int] = {}
    _find_lines(node, (), lines)
    return Document(value, lines)


def parse_value(text: str, *, where: str) -> Any:
    """The value that a text of YAML means, such as the right side of ``--set``.

    Raises:
        InputError: the text is no YAML.
    """
    return _parse(text, where=where)[1]


def dump_yaml(values: Mapping[str, Any]) -> str:
    """A YAML text that reads back as the same values, keys in their order."""
    return yaml.dump(dict(values), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


def _parse(text: str, *, where: str) -> tuple[yaml.Node | None, Any]:
    try:
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            return node, None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"{where}:{mark.line + 1}" if mark else where
        raise InputError(f"bad YAML ({error.problem})", where=place) from None
    except (yaml.YAMLError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"bad YAML ({reason})", where=where) from None


def _find_lines(node: yaml.Node, path: KeyPath, lines: dict[KeyPath, int]) -> None:
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            lines[(*path, key.value)] = key.start_mark.line + 1
            _find_lines(value, (*path, key.value), lines)
    elif isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            lines[(*path, str(index))] = item.start_mark.line + 1
            _find_lines(item, (*path, str(index)), lines)
