"""The types that MBPP+'s inputs lost in JSON: tuples, sets and complex numbers, restored by task.

Source: evalplus 0.3.1, evalplus/data/mbpp.py, mbpp_deserialize_inputs.
"""

from collections.abc import Callable
from typing import Any

_EACH = {2, 116, 132, 143, 222, 261, 273, 394, 399, 421, 424, 429, 470, 560, 579, 596, 616, 630, 726, 740, 744, 809}
_EACH_INNER = {63, 64, 70, 94, 120, 237, 272, 299, 400, 409, 417, 438, 473, 614, 780}
_INNER_OF_FIRST = {75, 413, 444, 753}
_SECOND = {106, 750}
_FIRST = {250, 405, 446, 617, 720, 763, 808}
_EACH_AND_INNER = {259, 401, 445}
_ALL = {580, 615, 791}


def typed_arguments(task: int, arguments: list[Any]) -> list[Any] | tuple[Any, ...]:
    """The argument list of one call of ``Mbpp/<task>``, from its JSON form."""
    restore = _BY_TASK.get(task)
    return restore(arguments) if restore is not None else arguments


def _tuples(values: list[Any]) -> list[Any]:
    return [tuple(value) for value in values]


def _deep(value: Any) -> Any:
    return tuple(map(_deep, value)) if isinstance(value, list) else value


_BY_TASK: dict[int, Callable[[list[Any]], Any]] = {
    **dict.fromkeys(_EACH, _tuples),
    **dict.fromkeys(_EACH_INNER, lambda given: [_tuples(value) for value in given]),
    **dict.fromkeys(_INNER_OF_FIRST, lambda given: [_tuples(given[0]), given[1]]),
    **dict.fromkeys(_SECOND, lambda given: [given[0], tuple(given[1])]),
    **dict.fromkeys(_FIRST, lambda given: [tuple(given[0]), given[1]]),
    **dict.fromkeys(_EACH_AND_INNER, lambda given: [tuple(_tuples(value)) for value in given]),
    **dict.fromkeys(_ALL, _deep),
    # evalplus gives an empty dict, not an empty set, for an empty list.
    115: lambda given: [[set(item) if isinstance(item, list) and item else {} for item in given[0]]],
    124: lambda given: (float(given[0]), complex(given[1])),
    252: lambda given: [complex(given[0])],
    278: lambda given: [tuple(tuple(item) if isinstance(item, list) else item for item in given[0])],
    307: lambda given: [tuple(given[0]), given[1], given[2]],
    722: lambda given: [{key: tuple(value) for key, value in given[0].items()}, *given[1:]],
}
