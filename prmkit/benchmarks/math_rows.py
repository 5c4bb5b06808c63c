"""What the readers of math benchmarks share: a row as a problem, under whatever names its columns have."""

from prmkit.columns import gold_of, id_of, level_of, problem_of, subject_of
from prmkit.errors import InputError
from prmkit.rows_io import Fields
from prmkit.tree import Problem


def problem_in(row: Fields, where: str, name: str, index: int) -> Problem:
    """The problem of a row.

    Args:
        row: with a problem and an answer, or a worked solution that declares one.
        where: its place.
        name: of the benchmark; ids that are numbers stand behind it (``amc-7``).
        index: the id of a row without one.

    Raises:
        InputError: the row has no problem, or no answer, or one of an unknown form.
    """
    answer = gold_of(row, where)
    if answer is None:
        raise InputError(
            "the row has no answer", where=where, got=sorted(row), expected="answer, or a solution that declares one"
        )
    return Problem(
        id=id_in(row, name, index),
        prompt=problem_of(row, where),
        answer=answer,
        level=level_of(row),
        subject=subject_of(row),
    )


def id_in(row: Fields, name: str, index: int) -> str:
    """The id of a row, or its place; numbers stand behind the name of the benchmark."""
    given = id_of(row) or str(index)
    return f"{name}-{given}" if given.isdecimal() else given
