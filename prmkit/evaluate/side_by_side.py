"""Several strategies on the same problems: what each found and spent, and how they differ, paired over problems."""

from collections.abc import Mapping, Sequence
from typing import Any

from prmkit.errors import InputError
from prmkit.stats import mean, paired_bootstrap, paired_difference

_SPENT = ("generations", "generated_tokens", "total_tokens", "flops", "seconds")


def side_by_side(records: Mapping[str, Sequence[Mapping[str, Any]]], *, seed: int) -> dict[str, Any]:
    """A row a strategy: accuracy in percent, and the mean cost of a problem in every currency; and a row a pair.

    Of each pair: the difference of accuracies in points, its standard error, and its 95 % bootstrap interval.

    Args:
        records: costs.jsonl of each run.
        seed: of the bootstrap.

    Raises:
        InputError: the runs are not of the same problems.
    """
    problems = {name: [record["problem"] for record in found] for name, found in records.items()}
    first = next(iter(problems), "")
    for name, ids in problems.items():
        if ids != problems[first]:
            raise InputError("the runs searched different problems", got=name, expected=f"those of {first}")
    right = {name: [100.0 * record["right"] for record in found] for name, found in records.items()}
    names = list(records)
    return {
        "strategies": [_row(name, right[name], records[name]) for name in names],
        "differences": [
            _difference(one, other, right[one], right[other], seed)
            for index, one in enumerate(names)
            for other in names[index + 1 :]
        ],
    }


def _row(name: str, right: Sequence[float], records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    accuracy = mean(right).as_dict()
    row = {"strategy": name, "accuracy, %": accuracy["value"], "stderr": accuracy["stderr"], "problems": accuracy["n"]}
    for kind in _SPENT:
        values = [record[kind] for record in records]
        row[kind] = None if None in values else sum(values) / len(values)
    # Problems are searched at once: the last one ends when the run does.
    row["seconds"] = max(record["seconds"] for record in records) / len(records)
    row["exhausted"] = sum(record["exhausted"] for record in records)
    return row


def _difference(one: str, other: str, a: Sequence[float], b: Sequence[float], seed: int) -> dict[str, Any]:
    found, interval = paired_difference(a, b), paired_bootstrap(a, b, seed=seed)
    return {
        "difference": f"{one} - {other}",
        "points": found.value,
        "stderr": found.stderr,
        "low": interval.low,
        "high": interval.high,
    }
