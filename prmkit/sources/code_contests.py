"""CodeContests: problems of programming contests, with public, private and generated tests.

Source: Li et al. 2022, arXiv 2203.07814; deepmind/code_contests on the Hugging Face hub.
"""

from typing import Any

from prmkit.errors import InputError
from prmkit.rows_io import Fields, field, plain
from prmkit.sources import problem_id
from prmkit.sources.cases import asked, cases_of
from prmkit.tree import Case, Problem, StepTree

_KINDS = ("public_tests", "private_tests", "generated_tests")
_IN_FOLDER = frozenset((".", ".."))


def tree_of(row: Fields, where: str, *, max_tests: int = 32, ask: bool = False) -> StepTree | None:
    """The problem without steps, to be solved and annotated; one without tests is left out.

    Its tests are the public ones, then the private and the generated ones, which a search may not see: of each kind
    a list of inputs and one of outputs, as on the hub, or a list of pairs, as in the original records. Where the
    problem names files, a program may read and write these as well as the standard streams.

    Args:
        row: of the corpus.
        where: its place.
        max_tests: the first so many tests are kept.
        ask: end the problem with a request for steps and a program.

    Raises:
        InputError: a column is missing or illegal.
    """
    if not any(kind in row for kind in _KINDS):
        raise InputError("the row has no tests", where=where, got=sorted(row), expected=" or ".join(_KINDS))
    tests: list[Case] = []
    for kind in _KINDS:
        inputs, outputs = _pairs(row.get(kind), where, kind)
        tests += cases_of(inputs, outputs, None, where, public=len(inputs) if kind == "public_tests" else 0)
    if not tests:
        return None
    prompt = field(row, where, "description")
    problem = Problem(
        id=problem_id("code-contests", prompt),
        prompt=asked(prompt, ask=ask),
        domain="code",
        level=_level(row.get("cf_rating")),
        tests=tuple(tests[:max_tests]),
        input_file=_file(row, where, "input_file"),
        output_file=_file(row, where, "output_file"),
        rule="code-contests",
    )
    return StepTree(problem, meta={"name": plain(row.get("name")) or ""})


def _pairs(given: Any, where: str, kind: str) -> tuple[list[Any], list[Any]]:
    if given is None:
        return [], []
    if isinstance(given, list) and all(isinstance(test, dict) and {"input", "output"} <= test.keys() for test in given):
        return [test["input"] for test in given], [test["output"] for test in given]
    if not isinstance(given, dict) or not all(isinstance(given.get(key), list) for key in ("input", "output")):
        expected = "lists of inputs and outputs, or a list of pairs"
        raise InputError(f"illegal {kind}", where=where, got=given, expected=expected)
    return given["input"], given["output"]


def _level(rating: Any) -> str | None:
    """The Codeforces rating; problems of other sites have 0 for none, and columns with gaps are often of floats."""
    whole = isinstance(rating, int) or (isinstance(rating, float) and rating.is_integer())
    return str(int(rating)) if whole and rating > 0 else None


def _file(row: Fields, where: str, column: str) -> str | None:
    name = row.get(column)
    if name is None or name == "" or name != name:  # NaN stands for nothing in tables
        return None
    if not isinstance(name, str) or "/" in name or "\0" in name or len(name) > 100 or name in _IN_FOLDER:
        raise InputError(f"illegal {column}", where=where, got=name, expected="the name of a file")
    return name
