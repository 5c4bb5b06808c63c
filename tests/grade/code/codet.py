"""The programs that CodeT published: 100 samples of Codex for each problem of HumanEval, in an order of their own."""

import gzip
import json
import re
from difflib import SequenceMatcher
from pathlib import Path

from prmkit.tree import Problem


def codet_samples(data_dir: Path, problems: list[Problem]) -> list[list[str]]:
    """The samples of each problem. Six names stand for two problems each: there the prompts are compared."""
    with gzip.open(data_dir / "codet" / "HumanEval_codegen16B_num100_code_solution.jsonl.gz") as file:
        rows = [json.loads(line) for line in file]
    named = {index: re.findall(r"^def (\w+)\(", row["prompt"], re.MULTILINE)[-1] for index, row in enumerate(rows)}

    def likeness(problem: Problem, index: int) -> float:
        return SequenceMatcher(None, problem.prompt, rows[index]["prompt"], autojunk=False).ratio()

    found = []
    for problem in problems:
        candidates = [index for index, name in named.items() if name == problem.entry_point]
        best = candidates[0] if len(candidates) == 1 else max(candidates, key=lambda index: likeness(problem, index))
        found.append(rows[best]["samples"])
    return found
