import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from prmkit.annotate import bind
from prmkit.annotate.annotation import Annotation, Annotator
from prmkit.annotate.plan import _drawn, plan
from prmkit.annotate.result import AnnotationFigures
from prmkit.errors import InputError, RunError
from prmkit.session import Engines, Session
from prmkit.session.journal import Journal
from prmkit.session.ledger import Ledger
from prmkit.sources.sample import SampleConfig
from prmkit.tree import StepTree
from tests.annotate.worlds import PROBLEM, add_path
from tests.fakes import ScriptedGenerator, make_session


def problems(count: int, *steps: str, answer: str | None = "4") -> Iterator[StepTree]:
    """Problems with one solution of these steps, or without any."""
    for number in range(count):
        tree = StepTree(replace(PROBLEM, id=str(number), prompt=f"{number}?", answer=answer))
        if steps:
            add_path(tree, *steps)
        yield tree


class Model:
    """Writes ``4`` at once."""

    def __init__(self) -> None:
        self.generator = ScriptedGenerator(lambda prompt, sample: ("4", "eos"))

    def load(self, journal: Journal, seed: int) -> Engines:
        return replace(make_session(self.generator)._engines, journal=journal, seed=seed)

    @property
    def asked(self) -> list[str]:
        """The problems, in order."""
        return [prompt.split("\n")[0] for prompt, _ in self.generator.requests]


def annotation(model: Model, rollouts: int = 2, **changes: Any) -> Annotation:
    annotators = [Annotator(name="mc", estimate=bind("monte-carlo", {"rollouts": rollouts}), load=model.load)]
    return replace(Annotation(policy=model.load, solutions=3, annotators=annotators), **changes)


def test_the_run_costs_the_pilot_as_often_as_its_problems_go_into_all() -> None:
    model = Model()
    found = plan(problems(6, "ok", "4"), annotation(model), 2)
    # A problem takes 2 rollouts from its first step: a prompt of "0?\nok\n", 6 characters, and twice "4".
    assert (found.problems, found.rollouts, found.tokens) == (6, 6 * 2, 6 * (6 + 2))
    assert len(model.asked) == 2


def test_solutions_that_are_written_first_count_too() -> None:
    found = plan(problems(4), annotation(Model()), 1)
    # 3 solutions of one step, which are their own outcome: "0?\n" is 3 characters.
    assert (found.problems, found.rollouts, found.tokens) == (4, 4 * 3, 4 * (3 + 3))


def test_a_scale_that_is_no_whole_number_is_rounded_once() -> None:
    found = plan(problems(5, "ok", "4"), annotation(Model(), rollouts=1), 3)
    # 3 problems take a rollout and 7 tokens each; 5 / 3 of 3 and of 21.
    assert (found.rollouts, found.tokens) == (5, 35)


@pytest.mark.parametrize("pilot", [3, 100])
def test_a_pilot_of_all_problems_is_the_run(pilot: int) -> None:
    model = Model()
    found = plan(problems(3, "ok", "4"), annotation(model), pilot)
    assert sorted(model.asked) == ["0?", "1?", "2?"]
    assert (found.problems, found.rollouts) == (3, 6)


def test_hours_are_those_of_the_pilot_times_the_scale(monkeypatch: pytest.MonkeyPatch) -> None:
    def annotate(*args: object, **options: object) -> AnnotationFigures:
        ledger = Ledger(continuations=10, prefill_tokens=100, decode_tokens=50)
        counts = dict.fromkeys(("problems", "trees", "unlabelled", "steps", "labelled"), 0)
        return AnnotationFigures(**counts, mean_label=None, seconds=36.0, passes={}, ledger=ledger)

    monkeypatch.setattr("prmkit.annotate.plan.annotate", annotate)
    assert plan(problems(200), annotation(Model()), 8) == (200, 250, 3750, 0.25)


def test_what_cannot_be_judged_costs_nothing() -> None:
    found = plan(problems(4, "ok", "4", answer=None), annotation(Model()), 2)
    assert (found.problems, found.rollouts, found.tokens) == (4, 0, 0)


def test_keeping_a_part_of_the_labels_makes_them_no_cheaper() -> None:
    whole = plan(problems(4, "ok", "4"), annotation(Model()), 2)
    part = plan(problems(4, "ok", "4"), annotation(Model(), sample=SampleConfig(size=1, unit="trees")), 2)
    assert part[:3] == whole[:3]


def test_nothing_to_annotate_is_refused() -> None:
    with pytest.raises(InputError, match="no problem to annotate; expected at least one"):
        plan([], annotation(Model()), 8)


@pytest.mark.parametrize("fails", [False, True])
def test_a_pilot_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model, seen = Model(), []

    async def estimate(session: Session) -> None:
        seen.extend(tmp_path.iterdir())
        if fails:
            raise RunError("the engine is gone")

    wanted = annotation(model, annotators=[Annotator(name="mc", estimate=estimate, load=model.load)])
    if fails:
        with pytest.raises(RunError, match="the engine is gone"):
            plan(problems(1, "4"), wanted, 1)
    else:
        plan(problems(1, "4"), wanted, 1)
    assert len(set(seen)) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_pilot_is_drawn_by_the_seed_of_the_run() -> None:
    def drawn(seed: int) -> list[str]:
        model = Model()
        plan(problems(50, "ok", "4"), annotation(model, seed=seed), 3)
        return model.asked

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert drawn(1) != ["0?", "1?", "2?"]  # the first ones of a corpus are often its easiest


def test_every_problem_and_every_place_has_the_same_chance() -> None:
    trees = list(problems(5))
    counts = Counter(tree.problem.id for seed in range(2000) for tree in _drawn(iter(trees), 2, seed)[0])
    # Each is drawn with chance 2/5: 800 times, give or take sqrt(2000 * 2/5 * 3/5) = 22; five of these.
    assert all(abs(counts[str(number)] - 800) < 110 for number in range(5))
    pairs = Counter(frozenset(tree.problem.id for tree in _drawn(trees, 2, seed)[0]) for seed in range(2000))
    # Never one problem twice, and all ten pairs: 200 times, give or take 13.4.
    assert len(pairs) == 10
    assert all(abs(count - 200) < 67 for count in pairs.values())
