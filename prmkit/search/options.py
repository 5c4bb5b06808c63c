"""The options of strategies: what their values may be, and how a recipe's are checked before anything runs."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from prmkit.errors import InputError
from prmkit.options import checked_options, options_of
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
    given = checked_options(strategy, config.options, where=f"strategy {config.name}", key="strategy.options")
    return lambda session: strategy(session, **given)


def takes(name: str, option: str) -> bool:
    """Whether a strategy has an option of this name. Raises InputError if there is no such strategy."""
    return option in options_of(STRATEGIES.load(name)).model_fields


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
