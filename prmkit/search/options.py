"""The options of strategies: what their values may be, and how a recipe's are checked before anything runs."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from prmkit.errors import InputError, InputErrors
from prmkit.search import STRATEGIES
from prmkit.session import Session

Count = Annotated[int, Field(ge=1)]
Votes = Annotated[int, Field(ge=2, description="a vote needs at least two")]
Share = Annotated[float, Field(ge=0.0, le=1.0)]
Weight = Annotated[float, Field(ge=0.0)]

Strategy = Callable[[Session], Awaitable[int]]


class StrategyConfig(BaseModel):
    """A search strategy and its options."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(description="built-in strategy, or my_package.module:coroutine")
    options: dict[str, bool | int | float | str] = Field({}, description="keyword arguments of the strategy, such as n")


def bind_strategy(config: StrategyConfig) -> Strategy:
    """The strategy with its options.

    Raises:
        InputErrors: unknown strategy; an option it does not take, lacks, or that is out of range.
    """
    strategy = STRATEGIES.load(config.name)
    model = _options_of(strategy)
    try:
        options = model(**config.options)
    except ValidationError as error:
        raise InputErrors([_explained(config.name, model, detail) for detail in error.errors()]) from None
    given = {name: getattr(options, name) for name in model.model_fields}
    return lambda session: strategy(session, **given)


def takes(name: str, option: str) -> bool:
    """Whether a strategy has an option of this name. Raises InputError if there is no such strategy."""
    return option in _options_of(STRATEGIES.load(name)).model_fields


def split_evenly(n: int, width: int, *, where: str) -> int:
    """How many times ``width`` goes into ``n``.

    Raises:
        InputError: it does not, evenly.
    """
    if n % width:
        raise InputError(
            "n is no multiple of width", where=where, got=f"n={n}, width={width}", expected="n = k x width, k >= 1"
        )
    return n // width


def _options_of(strategy: Callable[..., Any]) -> type[BaseModel]:
    parameters = list(inspect.signature(strategy, eval_str=True).parameters.values())[1:]
    fields: Mapping[str, Any] = {
        each.name: (
            Any if each.annotation is each.empty else each.annotation,
            ... if each.default is each.empty else each.default,
        )
        for each in parameters
    }
    return create_model("Options", __config__=ConfigDict(extra="forbid"), **fields)


def _explained(name: str, model: type[BaseModel], detail: Any) -> InputError:
    key = f"strategy.options.{detail['loc'][0]}"
    options = ", ".join(model.model_fields)
    if detail["type"] == "missing":
        return InputError(f"missing {key}", where=f"strategy {name}", expected=f"a value for it; options: {options}")
    if detail["type"] == "extra_forbidden":
        return InputError(f"unknown {key}", where=f"strategy {name}", got=detail["input"], expected=f"one of {options}")
    field = model.model_fields[detail["loc"][0]]
    return InputError(
        f"illegal {key}",
        where=f"strategy {name}",
        got=detail["input"],
        expected=detail["msg"].removeprefix("Input should be "),
        cure=f"Here {field.description}." if field.description else "",
    )
