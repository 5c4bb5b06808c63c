"""At temperature 0 there is one text, and every strategy finds it, drawn in one go or step by step."""

import asyncio

import pytest
import torch

from prmkit.benchmarks import load
from prmkit.generate import Sampling
from prmkit.generate.format import PolicyFormat
from prmkit.generate.text import PolicyText
from prmkit.generate.transformers import TransformersGenerator
from prmkit.models.backbone import load_causal_lm
from prmkit.score import PrmConfig
from prmkit.score.baselines import load_scorer
from prmkit.score.config import BaselineEngine
from prmkit.search import STRATEGIES
from prmkit.search.options import StrategyConfig, bind_strategy, takes
from prmkit.session import Engines, Session
from prmkit.tree import ROOT, Problem, StepTree
from prmkit.world import WEIGHTS


@pytest.fixture(scope="module")
def engines() -> Engines:
    model, tokenizer = load_causal_lm(str(WEIGHTS / "policy"), torch.float32)
    scorer, _ = load_scorer(PrmConfig(engine=BaselineEngine(name="random")))
    return Engines(
        generator=TransformersGenerator(model, tokenizer),
        text=PolicyText(tokenizer, PolicyFormat()),
        sampling=Sampling(max_tokens=120, temperature=0.0),
        scorer=scorer,
    )


def written(session: Session, leaf: int) -> list[int]:
    return [token for node in session.tree.path(leaf) for token in session.tree.nodes[node].ids or ()]


async def in_one_go(engines: Engines, problem: Problem) -> tuple[list[int], bool]:
    session = Session(StepTree(problem), engines)
    (leaf,) = await session.complete(ROOT, 1)
    return written(session, leaf), session.tree.finished(leaf)


@pytest.mark.parametrize("benchmark", ["synthetic-math", "synthetic-code"])
@pytest.mark.parametrize("name", sorted(STRATEGIES.builtin))
def test_every_strategy_finds_the_text_that_the_policy_writes_in_one_go(
    engines: Engines, name: str, benchmark: str
) -> None:
    strategy = bind_strategy(
        StrategyConfig(name=name, options={"n": 4} | ({"width": 2} if takes(name, "width") else {}))
    )

    async def compare() -> list[bool]:
        finished = []
        for problem in load(benchmark, limit=4, seed=5):
            ids, ended = await in_one_go(engines, problem)
            session = Session(StepTree(problem), engines)
            leaf = await strategy(session)
            assert (leaf != ROOT) == ended
            assert leaf == ROOT or written(session, leaf) == ids
            finished.append(ended)
        return finished

    assert any(asyncio.run(compare()))


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_with_the_same_random_numbers_steps_are_those_of_the_whole(engines: Engines, temperature: float) -> None:
    generator, text = engines.generator, engines.text
    sampling = Sampling(max_tokens=120, temperature=temperature)

    async def compare(problem: Problem, seed: int) -> int:
        begun = text.begin(problem)
        whole = (await generator.generate(begun.prompt, 1, sampling=sampling, seed=seed)).continuations[0]
        context, drawn, steps, finish = begun, [], 0, "stop"
        while finish == "stop":
            one = (
                await generator.generate(
                    context.prompt,
                    1,
                    sampling=sampling.model_copy(update={"max_tokens": 120 - len(drawn)}),
                    seed=seed,
                    stop=text.stop(context),
                    drawn=len(drawn),
                )
            ).continuations[0]
            drawn += one.ids
            finish = one.finish
            context = text.steps(context, one)[1]
            steps += 1
        assert (tuple(drawn), finish) == (whole.ids, whole.finish)
        return steps

    async def every() -> list[int]:
        problems = load("synthetic-math", limit=6, seed=7)
        return [await compare(problem, seed) for seed, problem in enumerate(problems)]

    assert max(asyncio.run(every())) > 2
