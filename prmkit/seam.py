"""A seam: a visible table of built-in parts, open to other people's by dotpath (``my_pkg.module:thing``)."""

import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from prmkit.errors import InputError, did_you_mean


@dataclass(frozen=True, slots=True)
class Seam:
    """Parts of one kind by name; each value is a dotpath, imported when it is asked for."""

    kind: str
    builtin: Mapping[str, str]

    def load(self, name: str) -> Any:
        """The part of that name or dotpath.

        Raises:
            InputError: no built-in part has the name (the nearest one is given), or the dotpath leads nowhere.
        """
        dotpath = self.builtin.get(name, name)
        module_name, colon, attribute = dotpath.partition(":")
        if not colon:
            raise InputError(
                f"unknown {self.kind}",
                got=name,
                expected=f"one of {', '.join(sorted(self.builtin))}, or my_package.module:name",
                cure=did_you_mean(name, self.builtin),
            )
        try:
            return getattr(importlib.import_module(module_name), attribute)
        except (ImportError, AttributeError) as error:
            raise InputError(
                f"cannot import the {self.kind}", got=name, expected=f"an importable name ({error})"
            ) from None
