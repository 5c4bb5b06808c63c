import json
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.judging import can_judge, judge, judge_all, judgeable, refuse_unjudgeable
from prmkit.evaluate.resumable import Finished
from prmkit.evaluate.solutions import Solution, Solutions
from prmkit.grade.config import DEFAULT, GradingConfig
from prmkit.grade.found import Found
from prmkit.grade.math.answers import MathGrader
from prmkit.tree import Case, Problem

HERE = Problem(id="here", prompt="?", answer="1")
# Its reference imports what no machine has.
ELSEWHERE = Problem(
    id="elsewhere", prompt="?", domain="code", rule="bigcodebench", reference="import no_such_package", check="x = 1"
)


def solutions(problem: Problem, *texts: str, verdicts: Sequence[bool] | None = None) -> Solutions:
    given = None if verdicts is None else tuple(verdicts)
    return Solutions(problem=problem, solutions=tuple(Solution(text=text) for text in texts), verdicts=given)


def classes(judged: Solutions) -> list[int | None]:
    return [each.answer for each in judged.solutions]


def right(judged: Solutions) -> list[bool]:
    return [each.right for each in judged.solutions]


def test_what_this_machine_cannot_judge_is_put_aside_with_its_reason() -> None:
    here = solutions(HERE, "#### 1")
    kept, reasons = judgeable([solutions(ELSEWHERE, "x"), here], DEFAULT)
    assert kept == [here]
    assert reasons == {"elsewhere": "not installed: no_such_package"}


def test_what_has_its_verdict_needs_no_judge() -> None:
    every = [solutions(ELSEWHERE, "x", verdicts=[True]), solutions(HERE, "#### 1")]
    assert judgeable(every, DEFAULT) == (every, {})


def test_if_nothing_can_be_judged_it_is_an_error() -> None:
    with pytest.raises(InputError, match=r"elsewhere: no problem can be judged on this machine, got 'not installed: n"):
        judgeable([solutions(ELSEWHERE, "x")], DEFAULT)


def test_a_problem_without_answer_or_tests_is_refused_unless_its_verdicts_are_known() -> None:
    bare = Problem(id="bare", prompt="?")
    refuse_unjudgeable([solutions(HERE, "#### 1"), solutions(ELSEWHERE, "x"), solutions(bare, "x", verdicts=[True])])
    with pytest.raises(InputError, match="bare: the problem has nothing to judge its solutions by; expected a gold a"):
        refuse_unjudgeable([solutions(HERE, "#### 1"), solutions(bare, "x")])


def test_every_solution_gets_its_class_and_its_verdict_and_what_they_are_about() -> None:
    found = judge(solutions(HERE, "#### 2", "#### 1", "no answer", "\\boxed{1.0}"), DEFAULT)
    assert classes(found) == [0, 1, None, 1]
    assert right(found) == [False, True, False, True]
    by_hashes = [Found("2", "#### x"), Found("1", "#### x")]
    assert [each.found for each in found.solutions] == [*by_hashes, None, Found("1.0", "box")]


def test_an_unfinished_solution_is_not_judged() -> None:
    cut = Solutions(problem=HERE, solutions=(Solution(text="#### 1", finished=False), Solution(text="#### 1")))
    found = judge(cut, DEFAULT)
    assert (classes(found), right(found)) == ([None, 0], [False, True])


def test_given_verdicts_stand_and_the_votes_are_by_answer_where_there_is_one() -> None:
    found = judge(solutions(HERE, "#### 2", "#### 2", "#### 1", verdicts=[True, False, False]), DEFAULT)
    assert (classes(found), right(found)) == ([0, 0, 1], [True, False, False])


def test_by_verdicts_alone_right_ones_agree_and_every_wrong_one_is_alone() -> None:
    bare = Problem(id="bare", prompt="?")
    found = judge(solutions(bare, "a", "b", "c", "d", verdicts=[False, True, False, True]), DEFAULT)
    assert (classes(found), right(found)) == ([1, 0, 3, 0], [False, True, False, True])


def test_the_config_says_which_programs_vote_together() -> None:
    case = Case(input="[2]", output="4", public=True)
    double = Problem(id="double", prompt="?", domain="code", entry_point="f", tests=(case,))
    programs = solutions(double, "def f(x): return 2 * x", "def f(x): return x + x", "def f(y): return 2 * y")
    by_behaviour, by_text = (judge(programs, GradingConfig(vote=vote)) for vote in ("behaviour", "text"))
    assert classes(by_behaviour) == [0, 0, 0]
    assert classes(by_text) == [0, 1, 0]  # names do not count, operators do
    assert right(by_behaviour) == right(by_text) == [True, True, True]


# The base input is positive and the plus input negative.
PLUS = Problem(
    id="HumanEval/0", prompt="?", domain="code", entry_point="f", rule="evalplus", reference="def f(x): return 2 * x",
    tests=(Case(input="[2]", public=True), Case(input="[-2]")),
)  # fmt: skip
PROGRAMS = ("def f(x): return x + x", "def f(x): return 2 * abs(x)", "def f(x): return 0")


def test_programs_that_pass_the_base_tests_alone_are_told_also_of_a_judging_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRMKIT_CACHE", str(tmp_path))
    every = [solutions(PLUS, *PROGRAMS)]
    for _ in range(2):  # judged, and taken from the file
        (found,) = judge_all(every, DEFAULT, finished=Finished(tmp_path / "judged.jsonl"))
        assert right(found) == [True, False, False]
        assert found.tells_base
        assert [each.right_on_base for each in found.solutions] == [True, True, False]


def test_verdicts_of_others_and_math_tell_no_base_tests_apart() -> None:
    assert not judge(solutions(PLUS, "def f(x): return 1", verdicts=[True]), DEFAULT).tells_base
    assert not judge(solutions(HERE, "#### 1"), DEFAULT).tells_base


def test_problems_are_judged_side_by_side_and_come_back_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    last_is_done = threading.Event()
    every = [solutions(Problem(id=name, prompt="?", answer="1"), f"#### {name}") for name in "10"]

    def first_waits_for_the_last(each: Solutions, grading: GradingConfig) -> Solutions:
        if each is every[0]:
            assert last_is_done.wait(60)
        found = judge(each, grading)
        if each is every[1]:
            last_is_done.set()
        return found

    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr("prmkit.evaluate.judging.judge", first_waits_for_the_last)
    found = judge_all(every, DEFAULT, watch=told.append)
    assert [right(each) for each in found] == [[True], [False]]
    assert told == [1, 1]


def test_verdicts_are_kept_and_a_second_judging_asks_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "judged.jsonl"
    every = [solutions(HERE, "#### 1", "none"), solutions(Problem(id="b", prompt="?", answer="3"), "#### 4")]
    first = judge_all(every, DEFAULT, finished=Finished(file))
    assert {json.loads(line)["item"] for line in file.read_text().splitlines()} == {0, 1}

    def judge_again(*_: object) -> None:
        raise AssertionError("it was judged again")

    monkeypatch.setattr("prmkit.evaluate.judging.judge", judge_again)
    assert judge_all(every, DEFAULT, finished=Finished(file)) == first


def test_a_problem_whose_gold_answer_does_not_parse_is_left_out_with_its_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(each: Solutions, grading: GradingConfig) -> Solutions:
        if each.problem.id == "prose":
            raise InputError("the gold answer does not parse", where="prose")
        return judge(each, grading)

    monkeypatch.setattr("prmkit.evaluate.judging.judge", refuse)
    every = [solutions(Problem(id="prose", prompt="?", answer="one"), "#### 1"), solutions(HERE, "#### 1")]
    faults: dict[str, str] = {}
    (found,) = judge_all(every, DEFAULT, faults=faults)
    assert (found.problem, right(found)) == (HERE, [True])
    assert faults == {"prose": "the gold answer does not parse"}
    with pytest.raises(InputError, match="prose: the gold answer does not parse"):
        judge_all(every, DEFAULT)


@pytest.mark.parametrize("answer", [None, "", " "])
def test_a_blank_gold_answer_is_none(answer: str | None) -> None:
    assert not can_judge(replace(HERE, answer=answer))
    assert can_judge(replace(HERE, answer=answer, check="assert f() == 1"))


def test_pairs_of_answers_that_ran_out_of_time_are_counted_also_of_a_judging_that_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MathGrader, "timeouts", lambda self, problem: 3)
    every, finished = [solutions(HERE, "#### 1")], Finished(tmp_path / "judged.jsonl")
    first: dict[str, int] = {}
    judge_all(every, DEFAULT, finished=finished, timeouts=first)
    monkeypatch.undo()
    again: dict[str, int] = {}
    judge_all(every, DEFAULT, finished=Finished(tmp_path / "judged.jsonl"), timeouts=again)
    assert first == again == {"here": 3}
    none: dict[str, int] = {}
    judge_all(every, DEFAULT, timeouts=none)
    assert none == {}
