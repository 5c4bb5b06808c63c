"""Automatic step labels: label estimators, each a coroutine over a session that labels the steps of its tree."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, get_type_hints

from pydantic import BaseModel, ValidationError

from prmkit.errors import InputError
from prmkit.seam import Seam
from prmkit.session import Session


class Estimator(Protocol):
    """Labels the steps of one problem.

    Its second parameter is annotated with its config, a pydantic model whose every field has a default.
    """

    async def __call__(self, session: Session, config: Any) -> None:
        """Give labels to steps of ``session.tree``; a problem that it cannot judge stays without."""
        ...


ESTIMATORS = Seam(
    "label estimator",
    {
        "binary-search": "prmkit.annotate.binary_search:binary_search",
        "judge": "prmkit.annotate.judge:judge",
        "monte-carlo": "prmkit.annotate.monte_carlo:monte_carlo",
        "omega": "prmkit.annotate.omega:omega",
    },
)


def config_class(name: str) -> type[BaseModel]:
    """The config of an estimator, read off its second parameter.

    Raises:
        InputError: unknown estimator, or one without a config.
    """
    estimator = ESTIMATORS.load(name)
    parameters = list(inspect.signature(estimator).parameters)
    found = get_type_hints(estimator).get(parameters[1]) if len(parameters) == 2 else None
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        raise InputError(
            "the label estimator takes no config", where=name, expected="async (session, config: SomePydanticModel)"
        )
    return found


def bind(name: str, options: Mapping[str, Any]) -> Callable[[Session], Awaitable[None]]:
    """An estimator with its options.

    Raises:
        InputError: unknown estimator, or an option that its config refuses.
    """
    estimator: Estimator = ESTIMATORS.load(name)
    kind = config_class(name)
    try:
        config = kind.model_validate(dict(options))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(map(str, first["loc"]))
        raise InputError(
            f"wrong options for estimator {name} ({key}: {first['msg']})",
            got=dict(options),
            expected=", ".join(kind.model_fields),
        ) from None
    return lambda session: estimator(session, config)
