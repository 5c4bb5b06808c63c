"""HumanEval+: 164 functions to complete, judged on base and plus inputs.

Two forms are read, told apart by their columns. The rich one (``base_input``, ``plus_input``, ``atol``), of evalplus's
releases, is judged by evalplus's rules; the hub's holds a ``test`` with ``check(candidate)``.

Source: Liu et al. 2023, arXiv 2305.01210; Chen et al. 2021, arXiv 2107.03374.
"""

from pathlib import Path
from typing import Any

from prmkit.benchmarks.code_rows import shown_calls, text_of
from prmkit.benchmarks.evalplus_rows import EvalplusForm, cases_of, evalplus_rows, tolerance
from prmkit.rows_io import Fields, field
from prmkit.tree import Problem

_RELEASE = "https://github.com/evalplus/humanevalplus_release/releases/download/v0.1.10/HumanEvalPlus.jsonl.gz"


def load(*, path: Path | None, limit: int | None, seed: int, form: EvalplusForm = "rich") -> list[Problem]:
    """The problems in file order.

    Args:
        path: see prmkit.benchmarks.load; without, the release that ``form`` names.
        limit: see prmkit.benchmarks.load.
        seed: not used.
        form: without a path: ``rich``, evalplus's release v0.1.10, or ``hub``, evalplus/humanevalplus.

    Raises:
        InputError: a row lacks what its form promises.
    """
    rows = evalplus_rows(path, form, release=_RELEASE, hub="evalplus/humanevalplus", limit=limit)
    return [_problem(row, where) for where, row in rows]


def _problem(row: Fields, where: str) -> Problem:
    prompt, name = text_of(row, where, "prompt"), field(row, where, "entry_point")
    shared: dict[str, Any] = {
        "id": field(row, where, "task_id"),
        "prompt": prompt,
        "domain": "code",
        "entry_point": name,
        "stub": prompt,
        "reference": prompt + text_of(row, where, "canonical_solution"),
    }
    if "base_input" in row:
        cases = (*cases_of(row, where, "base_input"), *cases_of(row, where, "plus_input"))
        return Problem(**shared, tests=cases, rule="evalplus", atol=tolerance(row, where))
    check = f"{text_of(row, where, 'test')}\n\ncheck({name})\n"
    return Problem(**shared, tests=shown_calls(prompt, name), rule="asserts", check=check)
