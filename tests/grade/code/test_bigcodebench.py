import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError
from prmkit.grade.code import bigcodebench
from prmkit.grade.code.bigcodebench import calibrated, judge
from prmkit.grade.code.extraction import extract
from prmkit.grade.code.programs import CodeGrader
from prmkit.tree import Problem

POSED = Problem(
    id="BigCodeBench/0",
    prompt="?",
    domain="code",
    entry_point="task_func",
    rule="bigcodebench",
    stub="import os\ndef task_func(x):",
    reference="import os\ndef task_func(x):\n    open('made', 'w').write(x)\n    return os.path.exists('made')\n",
    check=(
        "import unittest\nfrom unittest.mock import patch\nclass TestCases(unittest.TestCase):\n"
        "    def test_made(self):\n        self.assertTrue(task_func('a'))\n"
        "        self.assertEqual(open('made').read(), 'a')\n"
        "    @patch('os.path.exists', return_value=False)\n"
        "    def test_patched(self, exists): self.assertFalse(task_func('a'))\n"
    ),
)


def test_tests_share_the_module_of_the_program() -> None:
    # The import stands in the header alone: calibration supplies it.
    verdict = judge(POSED, "def task_func(x):\n    open('made', 'w').write(x)\n    return os.path.exists('made')")
    assert (verdict.status, [test.name for test in verdict.tests]) == ("pass", ["test_made", "test_patched"])
    verdict = judge(POSED, "def task_func(x): return True")
    assert verdict.status == "fail"
    assert [test.reason.partition(":")[0] for test in verdict.tests] == ["FileNotFoundError", "AssertionError"]
    assert judge(POSED, "import sys\nsys.exit(0)").status == "fail"
    assert judge(POSED, "while True: pass", seconds=1.0).status == "timeout"


def test_the_header_stands_before_the_program() -> None:
    assert calibrated(POSED, "x = 1") == "import os\ndef task_func(x):\n    pass\nx = 1"


@pytest.mark.parametrize(
    ("reference", "reason"),
    [
        ("import no_such_package\n", "not installed: no_such_package"),
        ("def task_func(x): return False\n", "the reference does not pass here (test_made: AssertionError"),
    ],
)
def test_what_the_reference_cannot_do_here_is_unsupported_and_not_failed(reference: str, reason: str) -> None:
    problem = replace(POSED, reference=reference)  # under the same id: what the machine can do is not known by it
    verdict = judge(problem, POSED.reference or "")
    assert verdict.status == "unsupported_env"
    assert reason in verdict.reason
    assert reason in CodeGrader().unsupported(problem)
    assert CodeGrader().correct(problem, [POSED.reference]) == [False]


def test_a_program_that_wants_another_package_is_unsupported_too() -> None:
    verdict = judge(POSED, "import no_such_package\n" + (POSED.reference or ""))
    assert (verdict.status, verdict.reason) == ("unsupported_env", "not installed: no_such_package")


def test_imports_from_the_future_stand_first() -> None:
    program = "from __future__ import annotations\n" + (POSED.reference or "")
    assert calibrated(POSED, program).startswith("from __future__ import annotations\nimport os\n")
    assert judge(POSED, program).passed


def test_a_problem_without_tests_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no reference or no tests"):
        judge(replace(POSED, check=None), "x")


# The official run saw the machine's processes and network, and waited; behind walls the program fails at once.
EXPLAINED = {"BigCodeBench/17": ("timeout", "fail")}


MODEL = "qwen2.5-coder-1.5b-base_hard_completion"


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("form", ["as judged there", "as completed by the model"])
def test_real_programs_get_their_published_verdicts_where_the_packages_are(form: str, data_dir: Path) -> None:
    folder = data_dir / "bigcodebench"
    problems = load("bigcodebench", path=folder / "bigcodebench_hard.json", subset="hard")
    published = json.loads((folder / f"{MODEL}-sanitized-calibrated_hard_eval_results.json").read_text())["eval"]
    rows = [json.loads(line) for line in (folder / f"{MODEL}.jsonl").read_text().splitlines()]
    completed = {row["task_id"]: row["solution"] for row in rows}

    def verdict(problem: Problem) -> str:
        if form == "as judged there":
            program = published[problem.id][0]["solution"].removeprefix(f"{problem.stub}\n    pass\n")
        else:
            program = extract(problem, completed[problem.id]) or ""
        return bigcodebench.judge(problem, program, seconds=60).status

    with ThreadPoolExecutor(2) as threads:
        ours = dict(zip((problem.id for problem in problems), threads.map(verdict, problems), strict=True))
    counts = Counter((published[name][0]["status"], status) for name, status in ours.items())
    print(form, dict(counts))
    assert len(ours) == 148
    assert counts["pass", "pass"] >= 5  # of the 14 that pass; the others may want packages that are not here
    different = {
        name: (published[name][0]["status"], status)
        for name, status in ours.items()
        if status not in ("unsupported_env", published[name][0]["status"])
    }
    assert different.items() <= EXPLAINED.items()
