from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from prmkit.benchmarks import BENCHMARKS, load
from prmkit.benchmarks.prompts import ask, wording
from prmkit.errors import InputError
from prmkit.tree import Problem

OTHERS = sorted(name for name in BENCHMARKS.builtin if not name.startswith(("synthetic", "trees")))


@pytest.mark.parametrize("name", OTHERS)
def test_every_benchmark_of_others_has_a_wording_for_both_kinds_and_a_step_format(name: str) -> None:
    texts = wording(name)
    assert {"chat", "base", "step_end"} <= texts.keys()
    assert all(text.count("{prompt}") == 1 for kind, text in texts.items() if kind != "step_end")
    posed = Problem(id="p", prompt="What {prompt} is {stub}?", stub="def f(x):\n")
    for kind in ("chat", "base"):
        assert "What {prompt} is {stub}?" in ask(posed, name, kind).prompt  # a problem's own braces stay


def test_the_wording_goes_around_the_problem_and_nothing_else_of_it_changes() -> None:
    posed = Problem(id="p", prompt="Wie viel ist ½ + ½?", answer="1", level="3")
    assert ask(posed, "gsm8k", "base") == replace(posed, prompt="Problem:\nWie viel ist ½ + ½?\n\nSolution:")
    assert ask(posed, "gsm8k", "chat").prompt == (
        "Wie viel ist ½ + ½?\n\nPlease reason step by step, separate the steps by blank lines, and put your final "
        "answer within \\boxed{}."
    )
    stub = Problem(id="p", prompt='def f(x):\n    """Twice."""\n', domain="code", entry_point="f")
    assert ask(stub, "humaneval-plus", "base") == stub  # a base model goes on where the code ends


def test_a_benchmark_is_loaded_with_its_wording(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"question": "1 + 1?", "answer": "#### 2"}\n')
    bare, asked = (load("gsm8k", path=tmp_path / "a.jsonl", prompt=kind)[0] for kind in (None, "base"))
    assert (bare.prompt, asked.prompt) == ("1 + 1?", "Problem:\n1 + 1?\n\nSolution:")
    assert asked.id == bare.id


def test_a_function_is_asked_for_with_its_starter_code() -> None:
    script = Problem(id="p", prompt="Q", domain="code")
    function = Problem(id="p", prompt="Q", domain="code", entry_point="f", stub="class Solution:\n    def f(self):\n")
    assert "stdin" in ask(script, "livecodebench", "chat").prompt
    assert "class Solution:\n    def f(self):\n```" in ask(function, "livecodebench", "chat").prompt
    unnamed = replace(function, stub=None)
    assert (
        "starter code to write the solution to the problem and enclose" in ask(unnamed, "livecodebench", "chat").prompt
    )
    assert ask(unnamed, "livecodebench", "base").prompt.endswith("Use this starter code:\n\n\n### Answer")


def test_a_wording_is_asked_for_by_name() -> None:
    with pytest.raises(InputError, match="no prompt for this benchmark, got 'synthetic-math'"):
        load("synthetic-math", limit=1, prompt="chat")
    with pytest.raises(InputError, match="unknown kind of prompt, got 'poem'"):
        ask(Problem(id="p", prompt="Q"), "gsm8k", "poem")  # type: ignore[arg-type]


def test_the_files_are_package_data() -> None:
    assert {path.name for path in files("prmkit.benchmarks.prompts").iterdir()} >= {f"{name}.yaml" for name in OTHERS}
