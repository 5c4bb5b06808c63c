import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from prmkit.benchmarks import load
from prmkit.errors import InputError
from prmkit.generate import Sampling
from prmkit.generate.format import PolicyFormat
from prmkit.generate.text import PolicyText
from prmkit.generate.transformers import TransformersGenerator
from prmkit.grade import grader_for
from prmkit.grade.config import DEFAULT, GradingConfig
from prmkit.models.backbone import load_causal_lm
from prmkit.models.checkpoint import CheckpointMeta, LoadedPRM
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat
from prmkit.score.transformers import TransformersScorer
from prmkit.search.options import StrategyConfig
from prmkit.search.problem_set import check_gold_answers, search
from prmkit.search.progress import Progress
from prmkit.search.result import read_costs
from prmkit.session import Engines, concurrent
from prmkit.session.budget import BudgetConfig
from prmkit.session.journal import Journal
from prmkit.tree import Domain, Problem
from prmkit.trees_io import read_trees
from prmkit.world import WEIGHTS
from tests.fakes import LastStepGrader, NarrowPolicy, ScriptedGenerator, TableScorer, char_text, make_session
from tests.programs import FORMS, fenced
from tests.search.world import World

PROBLEMS = [Problem(id=name, prompt="?", answer=answer) for name, answer in (("p", "b"), ("q", "a"))]
BEST_OF_2 = StrategyConfig(name="best-of-n", options={"n": 2})


def engines(world: World, journal: Journal | None = None) -> Engines:
    return Engines(
        generator=world,
        text=char_text(),
        sampling=Sampling(),
        scorer=TableScorer({"a": 0.5, "b": 0.9}),
        grader_for=lambda domain, grading: LastStepGrader(),
        journal=journal or Journal(),
    )


def test_trees_costs_and_metrics_by_hand(tmp_path: Path) -> None:
    shown: list[int] = []

    def show(progress: Progress) -> None:
        shown.append(progress.done)
        assert progress.figures().keys() == {"accuracy", "policy", "PRM", "cache", "to go"}

    found = search(
        PROBLEMS, engines(World({"": "a! b!"})), BEST_OF_2, tmp_path / "trees.jsonl", show=show, benchmark="letters"
    )
    trees = list(read_trees(tmp_path / "trees.jsonl"))
    assert [tree.problem.id for tree in trees] == ["p", "q"]
    assert all(tree.meta["chosen"] == "1" and tree.meta["exhausted"] == "false" for tree in trees)
    assert (found.benchmark, found.strategy) == ("letters", "best-of-n")
    # "b" scores best in both problems and is right in the first: the deviation of 1 and 0 is sqrt(1/2), over sqrt(2).
    assert (found.accuracy.value, found.accuracy.stderr, found.accuracy.n) == (0.5, 0.5, 2)
    assert (found.unanswered, found.exhausted) == (0, 0)
    assert found.isolation == []
    assert shown[-1] == 2
    costs = read_costs(tmp_path / "trees.jsonl")
    assert [cost.right for cost in costs] == [True, False]
    # Prompt "?" and its line end; two answers with their ends; the PRM reads two steps.
    assert [(cost.generated_tokens, cost.total_tokens) for cost in costs] == [(4, 8), (4, 8)]
    assert found.ledger.decode_tokens == 8


def test_strategies_that_ask_alike_share_their_generations(tmp_path: Path) -> None:
    world, journal = World({"": "a! b!"}), Journal(tmp_path / "journal.jsonl")
    for name in ("majority", "best-of-n", "weighted-best-of-n"):
        config = StrategyConfig(name=name, options={"n": 4})
        found = search(PROBLEMS, engines(world, journal), config, tmp_path / f"{name}.jsonl")
        assert found.ledger.decode_tokens == 16  # each is charged for all
    assert world.asked == [("", 4, "whole")] * 2


def test_solutions_are_judged_as_asked_and_the_result_says_how(tmp_path: Path) -> None:
    grading, asked = GradingConfig(grader="qwen", vote="text"), set()

    def grader_for(domain: Domain, wanted: GradingConfig) -> LastStepGrader:
        asked.add((domain, wanted))
        return LastStepGrader()

    world = replace(engines(World({"": "a! b!"})), grading=grading, grader_for=grader_for)
    found = search(PROBLEMS, world, BEST_OF_2, tmp_path / "trees.jsonl")
    assert asked == {("math", grading)}
    assert found.grading == grading


def test_what_cannot_be_judged_is_refused_before_anything_is_spent(tmp_path: Path) -> None:
    world = World({"": "a!"})
    bad = [
        ([], "no problem to search"),
        ([*PROBLEMS, Problem(id="r", prompt="?")], "r: the problem has no answer to be graded by. Remove the row."),
        ([Problem(id="r", prompt="?", domain="code")], "r: the problem has no test to be graded by. Remove the row."),
        ([*PROBLEMS, PROBLEMS[0]], "two problems have one id, got 'p'"),
    ]
    for problems, message in bad:
        with pytest.raises(InputError, match=message):
            search(problems, engines(world), BEST_OF_2, tmp_path / "trees.jsonl")
    assert world.asked == []
    assert not (tmp_path / "trees.jsonl").exists()


def test_a_spent_budget_is_counted_and_marked(tmp_path: Path) -> None:
    found = search(
        PROBLEMS, engines(World({"": "a! b!"})), BEST_OF_2, tmp_path / "trees.jsonl", budget=BudgetConfig(generations=1)
    )
    assert found.exhausted == 2
    assert [tree.meta["exhausted"] for tree in read_trees(tmp_path / "trees.jsonl")] == ["true", "true"]


@pytest.mark.parametrize(("strategy", "n"), [("best-of-n", 4096), ("beam", 128), ("mcts", 4096)])
def test_a_budget_in_seconds_is_kept_to_an_engine_step(strategy: str, n: int, tmp_path: Path) -> None:
    """Of the embedded policy, so hot that it never repeats itself, and a random PRM."""
    policy, tokenizer = load_causal_lm(str(WEIGHTS / "policy"), torch.float32)
    prm = PRM.from_backbone(str(WEIGHTS / "backbone"), ModelConfig(name=str(WEIGHTS / "backbone"), max_length=256))
    encoder = StepEncoder(tokenizer, StepFormat())
    meta = CheckpointMeta(format=StepFormat(), label_source="human", max_length=256)
    generator = TransformersGenerator(policy, tokenizer)
    scorer = TransformersScorer(LoadedPRM(prm=prm.eval(), encoder=encoder, meta=meta))
    steps = [0.0]
    for engine in (generator, scorer):
        engine._thread._step = timed(engine._thread._step, steps)  # type: ignore[attr-defined, assignment, arg-type]
    world = Engines(
        generator=generator,
        text=PolicyText(tokenizer, PolicyFormat()),
        sampling=Sampling(max_tokens=120, temperature=2.0),
        scorer=scorer,
    )
    problems = load("synthetic-math", limit=4, seed=3)
    config = StrategyConfig(name=strategy, options={"n": n})
    found = search(problems, world, config, tmp_path / "trees.jsonl", budget=BudgetConfig(seconds=1.0))
    assert found.exhausted == 4
    # All problems begin at once. A second for what belongs to no engine: this machine may be busy.
    assert 1.0 <= found.seconds < 1.0 + 2 * max(steps) + 1.0
    assert all(tree.meta["exhausted"] == "true" for tree in read_trees(tmp_path / "trees.jsonl"))


def test_how_things_stand_is_not_worked_out_for_each_problem_that_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes a look at every problem: with thousands of them it would take longer than the search."""
    monkeypatch.setattr(concurrent, "_SECONDS_BETWEEN_TICKS", 1000.0)
    many = [replace(PROBLEMS[0], id=str(number)) for number in range(50)]
    shown: list[int] = []
    world = engines(World({"": "a! b!"}))
    search(many, world, BEST_OF_2, tmp_path / "t.jsonl", show=lambda progress: shown.append(progress.done))
    assert shown == [50]


def test_the_speed_of_the_engine_is_shown_before_any_problem_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrent, "_SECONDS_BETWEEN_TICKS", 0.005)
    policy, tokenizer = load_causal_lm(str(WEIGHTS / "policy"), torch.float32)
    world = Engines(
        generator=TransformersGenerator(policy, tokenizer),
        text=PolicyText(tokenizer, PolicyFormat()),
        sampling=Sampling(max_tokens=120, temperature=2.0),
    )
    shown: list[tuple[int, dict[str, str]]] = []
    search(
        load("synthetic-math", limit=4, seed=3),
        world,
        StrategyConfig(name="majority", options={"n": 16}),
        tmp_path / "trees.jsonl",
        show=lambda progress: shown.append((progress.done, progress.figures())),
    )
    under_way = [figures["policy"] for done, figures in shown if done == 0]
    speeds = [float(said.removesuffix(" tok/s").replace(",", "")) for said in under_way if said.endswith(" tok/s")]
    assert max(speeds) > 0
    assert shown[-1][0] == 4


def timed(step: Callable[[list[Any]], bool], steps: list[float]) -> Callable[[list[Any]], bool]:
    def measured(new: list[Any]) -> bool:
        start = time.perf_counter()
        try:
            return step(new)
        finally:
            steps.append(time.perf_counter() - start)

    return measured


@pytest.mark.parametrize("form", FORMS)
def test_a_search_finds_programs_of_every_form(form: str, tmp_path: Path) -> None:
    """Two of three samples are right, in two spellings: the vote on what they do finds them, and the grade agrees."""
    right, wrong = FORMS[form].right, FORMS[form].wrong
    written = [wrong, right, right.replace(" + 1", " + 2 - 1")]
    asked = replace(
        make_session(ScriptedGenerator(lambda prompt, sample: (f"Add.\n{fenced(written[sample])}", "eos")))._engines,
        grader_for=grader_for,
    )
    found = search(
        [FORMS[form].problem], asked, StrategyConfig(name="majority", options={"n": 3}), tmp_path / "t.jsonl"
    )
    assert found.accuracy.value == 1.0
    (tree,) = read_trees(tmp_path / "t.jsonl")
    assert tree.problem == FORMS[form].problem
    assert " + 1" in tree.solution(tree.chosen) or " + 2 - 1" in tree.solution(tree.chosen)


def test_a_gold_answer_that_does_not_parse_is_refused_before_anything_is_spent() -> None:
    good = [Problem(id="number", prompt="?", answer="4"), Problem(id="code", prompt="?", domain="code", check="x")]
    check_gold_answers(good, DEFAULT)
    with pytest.raises(InputError, match=r"^torn: the gold answer does not parse, got 'x\^2\+'"):
        check_gold_answers([*good, Problem(id="torn", prompt="?", answer="x^2+")], DEFAULT)


def test_a_problem_that_fills_the_context_is_counted_and_named_and_the_others_are_searched(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    problems = [*PROBLEMS, Problem(id="long", prompt="?" * 20, answer="a")]
    policy = NarrowPolicy(20, lambda prompt: "b")
    for engine in (policy, NarrowPolicy(20, policy.rest, told=False)):
        out = tmp_path / str(id(engine)) / "trees.jsonl"
        out.parent.mkdir()
        caplog.clear()
        found = search(problems, replace(engines(World({})), generator=engine), BEST_OF_2, out)
        assert (found.too_long, found.unanswered, found.accuracy.value, found.accuracy.n) == (1, 1, 1 / 3, 3)
        assert found.ledger.too_long == 1
        assert [len(tree) for tree in read_trees(out)] == [2, 2, 0]
        (said,) = caplog.messages
        assert said.startswith("long: the problem fills the policy's context")
        assert said.endswith("expected fewer than 20. It stays unanswered")
