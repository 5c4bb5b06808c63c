from dataclasses import replace
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.grade import grader_for, isolation_of
from prmkit.grade.config import GradingConfig
from prmkit.grade.found import texts
from prmkit.sandbox import isolate, processes
from prmkit.tree import Case, Problem

PROGRAM = Problem(
    id="double",
    prompt="?",
    domain="code",
    entry_point="f",
    tests=(Case(input="[1]", output="2", public=True), Case(input="[3]", output="6")),
)


def test_equal_configs_have_one_judge_a_domain() -> None:
    assert (
        grader_for("code") is grader_for("code", GradingConfig()) is grader_for("code", GradingConfig(vote="behaviour"))
    )
    assert grader_for("math") is grader_for("math", GradingConfig(grader="math-verify"))
    assert grader_for("math") is not grader_for("code")


def test_another_config_has_another_judge() -> None:
    text, unsafe = GradingConfig(vote="text"), GradingConfig(unsafe_local=True)
    assert len({id(grader_for("code", grading)) for grading in (GradingConfig(), text, unsafe)}) == 3
    assert grader_for("math", GradingConfig(grader="qwen")) is not grader_for("math")


def test_the_grader_of_a_config_votes_and_grades_by_one_relation() -> None:
    posed = Problem(id="p", prompt="?", answer="50")
    lenient, strict = (grader_for("math", GradingConfig(grader=name)) for name in ("qwen", "prm800k"))
    assert lenient.correct(posed, ["0.5", "50.0", "5", None]) == [True, True, False, False]  # within a percent
    assert strict.correct(posed, ["0.5", "50.0"]) == [False, True]
    assert lenient.classes(posed, ["0.5", "50", "7"]) == [0, 0, 1]
    assert strict.classes(posed, ["0.5", "50", "7"]) == [0, 1, 2]
    lenient.close()
    strict.close()


def test_answers_are_what_was_found_without_its_rule() -> None:
    posed = Problem(id="p", prompt="?", answer="50")
    solutions = ["so #### 5", "\\boxed{50.0}", "", "last 7"]
    for name, found in (("math-verify", ["5", "50.0", None, None]), ("qwen", ["5", "50", None, "7"])):
        grader = grader_for("math", GradingConfig.model_validate({"grader": name}))
        assert grader.answers(posed, solutions) == texts(grader.found(posed, solutions)) == found
    coder = grader_for("code")
    (program,) = coder.found(PROGRAM, ["```python\ndef f(x): return 2 * x\n```"])
    assert program is not None
    assert program.rule
    assert program.text.strip() == "def f(x): return 2 * x"


PROGRAMS = [
    "def f(x): return 2 * x",
    "def f(n):\n    # doubled\n    return 2 * n",  # the same syntax tree but for a name
    "def f(x): return x + x",  # does the same
    "def f(x): return 3 - x",  # does the same on the public input alone
    "def f(x): return x",
    "def f(x): return 1 / 0",  # does nothing, but has a text
    None,
]


@pytest.mark.parametrize(
    ("vote", "classes"),
    [("behaviour", [0, 0, 0, 0, 1, None, None]), ("text", [0, 0, 1, 2, 3, 4, None])],
)
def test_programs_vote_by_what_they_do_or_by_their_text(vote: str, classes: list[int | None]) -> None:
    grader = grader_for("code", GradingConfig.model_validate({"vote": vote}))
    assert grader.classes(PROGRAM, PROGRAMS) == classes
    # The vote changes no verdict.
    assert grader.correct(PROGRAM, PROGRAMS) == [True, True, True, False, False, False, False]


def test_a_vote_by_text_runs_no_program(monkeypatch: pytest.MonkeyPatch) -> None:
    def run_calls(*_: object) -> None:
        raise AssertionError("it was run")

    monkeypatch.setattr(isolate, "run_calls", run_calls)
    grader = grader_for("code", GradingConfig(vote="text"))
    assert grader.classes(PROGRAM, ["def f(x): return 9", "f = 9"]) == [0, 1]


REFERENCE = "def f(x): return 2 * x"
OF_RULES = [
    PROGRAM,
    replace(PROGRAM, rule="asserts", tests=(), check="assert f(2) == 4"),
    replace(PROGRAM, rule="evalplus", reference=REFERENCE),
    replace(PROGRAM, rule="livecodebench"),
    replace(
        PROGRAM,
        rule="bigcodebench",
        reference=REFERENCE,
        check="import unittest\nclass TestCases(unittest.TestCase):\n    def test_a(self): self.assertEqual(f(2), 4)\n",
    ),
]


@pytest.mark.parametrize("problem", OF_RULES, ids=lambda problem: problem.rule)
def test_without_isolation_no_program_runs_by_any_rule_but_with_consent(
    problem: Problem, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PRMKIT_CACHE", str(tmp_path))
    monkeypatch.setattr(processes, "layers", lambda packages: ("rlimits", "session"))
    posed = replace(problem, id=f"exposed-{problem.rule}")
    program = "def f(x): return x * 2"  # of no other test: what was run before is known
    with pytest.raises(InputError, match=r"no isolation.*--unsafe-local"):
        grader_for("code").correct(posed, [program])
    assert grader_for("code", GradingConfig(unsafe_local=True)).correct(posed, [program]) == [True]


def test_the_walls_are_on_record_where_programs_were_run() -> None:
    assert isolation_of([Problem(id="p", prompt="?", answer="1")]) == []
    assert isolation_of([Problem(id="p", prompt="?", answer="1"), PROGRAM]) == list(isolate.layers())
