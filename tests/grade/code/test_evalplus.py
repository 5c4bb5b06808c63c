"""evalplus's rules, case by case, and the verdicts of real programs."""

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from prmkit.benchmarks import load
from prmkit.errors import InputError
from prmkit.grade.code import evalplus
from prmkit.grade.code.evalplus import Oracle
from prmkit.sandbox.values import encode
from prmkit.tree import Case, Problem


def posed(name: str = "f", *, task: str = "HumanEval/0", atol: float = 0.0) -> Problem:
    return Problem(id=task, prompt="?", domain="code", entry_point=name, rule="evalplus", atol=atol)


def right(problem: Problem, out: object, expected: object, given: list[object] | None = None) -> bool:
    return not Oracle(problem).fault(encode(given or [1]), encode(out), expected)


@pytest.mark.parametrize(
    ("out", "expected", "verdict"),
    [
        (1, 1, True),
        (True, 1, True),  # as ==
        ([1, 2], (1, 2), False),
        (0.30000000000000004, 0.3, True),  # 1e-6 where the reference gives floats
        (0.3001, 0.3, False),
        (0, 0.0, True),
        (1, 1.0000001, False),  # a tolerance asks for the same type
        ([0.1 + 0.2], [0.3], True),
        ((0.1 + 0.2,), [0.3], False),
        ([0.3, 0.1], [0.3], False),
        ("0.3", 0.3, False),
        (print, 1, False),
    ],
)
def test_values_compare_as_evalplus_compares_them(out: object, expected: object, verdict: bool) -> None:
    assert right(posed(), out, expected) is verdict


def test_a_tolerance_once_taken_stays_for_the_inputs_after_it() -> None:
    oracle = Oracle(posed())
    assert oracle.fault("[1]", encode(1 + 1e-9), 1)  # before any float: exact
    assert not oracle.fault("[1]", encode(0.5), 0.5)
    assert oracle.fault("[1]", encode(1 + 1e-9), 1)  # now within 1e-6, but of another type
    assert not oracle.fault("[1]", encode([1.0 + 1e-9, 2]), [1.0, 2])


@pytest.mark.parametrize(
    ("name", "given", "out", "expected", "verdict"),
    [
        ("are_equivalent", [1, 2], False, True, True),  # always right
        ("sum_div", [7], 0, 1, True),
        ("sum_div", [7], 2, 1, False),
        ("surface_Area", [3, 4], 33, 0, False),
        ("surface_Area", [3, 4], 35, 0, True),  # round(9 + 6 * sqrt(2.25 + 16)) = 35
        ("digit_distance_nums", [1, 20], 3, 99, True),  # 01 against 20: 2 + 1
        ("similar_elements", [1], [5, 4, 4], (4, 5), True),
        ("similar_elements", [1], [[4]], (4, 5), False),  # a set of lists is none
        ("check_str", [1], "Valid", "anything", True),
        ("check_str", [1], None, None, True),
        ("check_str", [1], True, "anything", True),
        ("check_str", [1], False, "anything", False),
    ],
)
def test_the_special_oracles_of_mbpp(
    name: str, given: list[object], out: object, expected: object, verdict: bool
) -> None:
    assert right(posed(name, task="Mbpp/1"), out, expected, given) is verdict


def test_a_root_is_right_if_the_polynomial_vanishes_there() -> None:
    problem = posed("find_zero", task="HumanEval/32", atol=1e-4)
    assert right(problem, -0.50001, -0.5, [[1, 2]])  # 1 + 2x
    assert not right(problem, -0.6, -0.5, [[1, 2]])


def whole(reference: str, *inputs: object, hidden: tuple[object, ...] = ()) -> Problem:
    cases = [Case(input=encode([given]), public=True) for given in inputs]
    cases += [Case(input=encode([given])) for given in hidden]
    return Problem(
        id="HumanEval/0", prompt="?", domain="code", entry_point="f", rule="evalplus", reference=reference,
        tests=tuple(cases),
    )  # fmt: skip


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "realdata" not in request.keywords:
        monkeypatch.setenv("PRMKIT_CACHE", str(tmp_path))


def test_the_reference_says_what_is_right_on_base_and_plus(tmp_path: Path) -> None:
    problem = whole("def f(x): return (x, x * x)", 1, 2, hidden=(-3,))
    verdict = evalplus.judge(problem, "def f(x): return (x, x ** 2)")
    assert (verdict.status, verdict.base, len(verdict.tests)) == ("pass", "pass", 3)
    verdict = evalplus.judge(problem, "def f(x): return (x, x * abs(x))")
    assert (verdict.status, verdict.base) == ("fail", "pass")
    assert verdict.tests[-1].name == "plus[0]"
    assert "returned" in verdict.tests[-1].reason
    verdict = evalplus.judge(problem, "def f(x): return [x, x * x]")
    assert (verdict.status, verdict.base, len(verdict.tests)) == ("fail", "fail", 1)  # ended at its first failure
    assert len(list((tmp_path / "expected").iterdir())) == 2  # kept for the next run
    evalplus._expected.clear()
    assert evalplus.judge(problem, "def f(x): return (x, x * x)").passed


def test_a_late_call_fails_and_a_reference_that_fails_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evalplus, "_MIN_SECONDS", 0.3)
    verdict = evalplus.judge(whole("def f(x): return x", 1, 2), "def f(x):\n    while x > 1: pass\n    return x")
    assert (verdict.status, verdict.tests[-1].reason) == ("fail", "Timeout")
    with pytest.raises(InputError, match=r"HumanEval/0: the reference fails on input 1 \(ZeroDivisionError\)"):
        evalplus.judge(whole("def f(x): return 1 / x", 1, 0), "def f(x): return x")
    with pytest.raises(InputError, match="no reference solution"):
        evalplus.judge(replace(whole("", 1), reference=None), "def f(x): return x")
    with pytest.raises(InputError, match="the problem has no inputs"):  # never a pass for want of tests
        evalplus.judge(posed(), "def f(x): return x")


FILES = {
    "humaneval": ("humaneval-plus", "humanevalplus/HumanEvalPlus.jsonl.gz"),
    "mbpp": ("mbpp-plus", "mbppplus/MbppPlus-v0.1.0.jsonl.gz"),
}
PUBLISHED_SECONDS = 1.0
"""The least limit of a call when the verdicts were published; 4 s since April 2025 (evalplus, commit af49138)."""
# Of MBPP+ v0.1.0 the published verdicts compare exactly where order does not matter since evalplus 0.3 (sets=False).
EXPLAINED = {"Mbpp/579": "returns a tuple made of a set of strings, whose order changes from process to process"}


@pytest.fixture
def _published_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evalplus, "_MIN_SECONDS", PUBLISHED_SECONDS)


@pytest.mark.realdata
@pytest.mark.usefixtures("_published_limit")
@pytest.mark.parametrize("dataset", FILES)
def test_real_programs_get_their_published_verdicts(
    dataset: str, data_dir: Path, request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tenth of them; all of them with -m slow (below)."""
    disagree(dataset, data_dir, every=10)


@pytest.mark.realdata
@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.usefixtures("_published_limit")
@pytest.mark.parametrize("dataset", FILES)
def test_all_real_programs_get_their_published_verdicts(dataset: str, data_dir: Path) -> None:
    disagree(dataset, data_dir, every=1)


def disagree(dataset: str, data_dir: Path, *, every: int) -> None:
    benchmark, file = FILES[dataset]
    problems = {problem.id: problem for problem in load(benchmark, path=data_dir / file)}
    stem = f"qwen2.5-coder-1.5b-base_{dataset}_generated_eval_results.json"
    published = json.loads((data_dir / "evalplus_verdicts" / stem).read_text())["eval"]
    # Slow references are left to the whole set.
    names = (
        sorted(published) if every == 1 else sorted(set(published) - {"HumanEval/130", "Mbpp/599", "Mbpp/255"})[::every]
    )

    def statuses(name: str) -> tuple[str, ...]:
        program = published[name][0]["solution"]
        return tuple(
            evalplus.judge_part(problems[name], program, public=public, sets=False).status for public in (True, False)
        )

    def again(name: str) -> tuple[str, ...]:
        """Alone, and by the seconds that the reference takes now: some programs come close to four times as many."""
        with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            patch.setenv("PRMKIT_CACHE", folder)
            patch.setattr(evalplus, "_expected", {})
            return statuses(name)

    with ThreadPoolExecutor(2) as threads:
        ours = dict(zip(names, threads.map(statuses, names), strict=True))
    agreed, unexplained = Counter[str](), []
    for name, found in ours.items():
        wanted = tuple(published[name][0][f"{part}_status"] for part in ("base", "plus"))
        for part, one, other in zip(("base", "plus"), found, wanted, strict=True):
            agreed[part] += one == other
        if found != wanted and name not in EXPLAINED and (second := again(name)) != wanted:
            unexplained.append((name, found, second, wanted))
    print(
        f"{dataset}: {dict(agreed)} of {len(names)}", *(f"{name}: {why}" for name, why in EXPLAINED.items()), sep="\n"
    )
    assert not unexplained
