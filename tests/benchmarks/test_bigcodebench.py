import json
from pathlib import Path

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError

ROW = {
    "task_id": "BigCodeBench/0", "entry_point": "task_func", "libs": "['os', 'pandas']", "instruct_prompt": "Do it.",
    "complete_prompt": 'import os\ndef task_func(x):\n    """Do it.\n    >>> task_func(3)\n    4\n    """\n',
    "code_prompt": "import os\ndef task_func(x):\n", "canonical_solution": "    return x + 1\n",
    "test": "import unittest\n",
}  # fmt: skip


def test_both_prompts_have_the_same_tests(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps({"BigCodeBench/0": ROW}))  # rows by name
    (instruct,) = load("bigcodebench", path=path)
    (complete,) = load("bigcodebench", path=path, split="complete")
    assert (instruct.prompt, complete.prompt) == ("Do it.", ROW["complete_prompt"])
    assert instruct.check == complete.check == ROW["test"]
    assert instruct.reference == "import os\ndef task_func(x):\n    return x + 1\n"
    assert instruct.subject == "os, pandas"
    assert [(case.input, case.output, case.public) for case in instruct.tests] == [
        ("[3]", None, True)
    ]  # of the docstring
    with pytest.raises(InputError, match="unknown part of BigCodeBench"):
        load("bigcodebench", path=path, subset="small")


@pytest.mark.realdata
def test_the_real_hard_subset(data_dir: Path) -> None:
    problems = load("bigcodebench", path=data_dir / "bigcodebench" / "bigcodebench_hard.json", subset="hard")
    assert len(problems) == 148
    assert all(problem.reference and problem.check for problem in problems)
