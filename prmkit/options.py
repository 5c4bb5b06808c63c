"""The options of a part: what its signature says they may be, and how given ones are checked before anything runs."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from prmkit.errors import InputError, InputErrors


def options_of(part: Callable[..., Any]) -> type[BaseModel]:
    """A model of a part's options: its parameters behind the first one, with their annotations and defaults."""
    parameters = list(inspect.signature(part, eval_str=True).parameters.values())[1:]
    fields: Mapping[str, Any] = {
        each.name: (
            Any if each.annotation is each.empty else each.annotation,
            ... if each.default is each.empty else each.default,
        )
        for each in parameters
    }
    return create_model("Options", __config__=ConfigDict(extra="forbid"), **fields)


def checked_options(part: Callable[..., Any], given: Mapping[str, Any], *, where: str, key: str) -> dict[str, Any]:
    """All options of a part: those given, checked, and the defaults of the others.

    Args:
        part: a callable whose parameters behind the first one are its options.
        given: options by name.
        where: the part as messages call it, such as ``strategy beam``.
        key: where the options stand in a recipe, such as ``strategy.options``.

    Raises:
        InputErrors: an option that the part does not take, lacks, or that is out of range.
    """
    model = options_of(part)
    try:
        options = model(**given)
    except ValidationError as error:
        raise InputErrors([_explained(model, detail, where, key) for detail in error.errors()]) from None
    return {name: getattr(options, name) for name in model.model_fields}


def _explained(model: type[BaseModel], detail: Any, where: str, key: str) -> InputError:
    name = detail["loc"][0]
    key = f"{key}.{name}"
    options = ", ".join(model.model_fields)
    if detail["type"] == "missing":
        return InputError(f"missing {key}", where=where, expected=f"a value for it; options: {options}")
    if detail["type"] == "extra_forbidden":
        expected = f"one of {options}" if options else "none: it has no options"
        return InputError(f"unknown {key}", where=where, got=detail["input"], expected=expected)
    field = model.model_fields[name]
    return InputError(
        f"illegal {key}",
        where=where,
        got=detail["input"],
        expected=detail["msg"].removeprefix("Input should be "),
        cure=f"Here {field.description}." if field.description else "",
    )
