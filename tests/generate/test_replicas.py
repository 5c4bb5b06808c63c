"""Copies of engines on a Ray cluster of this machine: two actors, and what happens when one is lost."""

import asyncio
from collections.abc import Coroutine, Iterator
from typing import Any

import pytest
import torch

from prmkit.errors import InputError, RunError
from prmkit.generate import Generation, Generator, GeneratorConfig, Sampling, load_generator
from prmkit.generate.config import TransformersEngine
from prmkit.generate.likely import TellsNextTokens
from prmkit.generate.replicas import ReplicatedGenerator
from prmkit.models.checkpoint import CheckpointMeta, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.models.tokenizer import load_tokenizer
from prmkit.packing.format import StepFormat
from prmkit.score import PrmConfig, Scorer, load_scorer
from tests.contracts.generator import GeneratorContract
from tests.contracts.scorer import NODES, ScorerContract, forked
from tests.fakes import at
from tests.served import run
from tests.tiny import tiny_backbone, tiny_bpe_tokenizer

TWO = TransformersEngine(workers="ray", replicas=2)


@pytest.fixture(scope="module")
def cluster() -> Iterator[None]:
    ray = pytest.importorskip("ray", reason="Ray is not installed: make .venv/.vllm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_memory_monitor_refresh_ms", "0")  # others use this machine's memory too
        ray.init(num_cpus=2, num_gpus=0, include_dashboard=False, log_to_driver=False, logging_level="error")
        yield
        ray.shutdown()


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_backbone(tmp_path_factory.mktemp("ray") / "policy", tokenizer=tiny_bpe_tokenizer(), context=512)


@pytest.fixture(scope="module")
def prm(tmp_path_factory: pytest.TempPathFactory, policy: str) -> str:
    folder = tmp_path_factory.mktemp("ray") / "prm"
    torch.manual_seed(0)
    meta = CheckpointMeta(format=StepFormat(), label_source="human", max_length=64)
    save_prm(PRM.from_backbone(policy, ModelConfig(name=policy, max_length=64)), load_tokenizer(policy), folder, meta)
    return str(folder)


@pytest.fixture(scope="module")
def generators(cluster: None, policy: str) -> Generator:
    return load_generator(GeneratorConfig(name=policy, engine=TWO))[0]


def test_an_actor_tells_the_likeliest_tokens_as_its_engine_does(generators: Generator, policy: str) -> None:
    alone = load_generator(GeneratorConfig(name=policy))[0]
    assert isinstance(generators, TellsNextTokens)
    assert isinstance(alone, TellsNextTokens)
    found = [run(engine.next_tokens([40, 50, 60], 5)).tokens for engine in (generators, alone)]
    assert [token.text for token in found[0]] == [token.text for token in found[1]]
    assert [token.logprob for token in found[0]] == pytest.approx([token.logprob for token in found[1]], abs=1e-5)


@pytest.fixture(scope="module")
def scorers(cluster: None, prm: str) -> Scorer:
    scorer, source = load_scorer(PrmConfig(checkpoint=prm, engine=TWO))
    assert source == "human"
    return scorer


class Homes:
    """Copies that answer nothing; ``problems`` are those that they were asked of."""

    def __init__(self) -> None:
        self.problems: list[object] = []

    async def call(self, problem: object, method: str, *arguments: object, **options: object) -> None:
        self.problems.append(problem)


def test_an_empty_prompt_does_not_become_the_start_of_every_problem() -> None:
    homes = Homes()
    generator = ReplicatedGenerator(homes)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="empty prompt"):
        asyncio.run(generator.generate([], 1, sampling=Sampling(), seed=0))
    for prompt in ([1, 2], [1, 2, 3], [4, 5]):
        asyncio.run(generator.generate(prompt, 1, sampling=Sampling(), seed=0))
    assert homes.problems == [(1, 2), (1, 2), (4, 5)]


@pytest.mark.ray
class TestGenerators(GeneratorContract):
    prompt = (40, 50, 60)

    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, generators: Generator, policy: str) -> Generator:
        cls.tokenizer = load_tokenizer(policy)
        return generators

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return run(work)

    def decode(self, ids):  # type: ignore[no-untyped-def]
        return self.tokenizer.decode(ids)


@pytest.mark.ray
class TestScorers(ScorerContract):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls, scorers: Scorer) -> Scorer:
        return scorers

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return run(work)


@pytest.mark.ray
def test_copies_answer_as_the_engine_in_this_process(
    generators: Generator, scorers: Scorer, policy: str, prm: str
) -> None:
    here, _ = load_generator(GeneratorConfig(name=policy))
    prompts = [[40 + index, 50, 60] for index in range(6)]

    async def write(engine: Generator) -> list[Generation]:
        sampling = Sampling(max_tokens=16)
        return await asyncio.gather(*(engine.generate(ids, 2, sampling=sampling, seed=ids[0]) for ids in prompts))

    assert [one.continuations for one in run(write(generators))] == [one.continuations for one in run(write(here))]
    alone = load_scorer(PrmConfig(checkpoint=prm))[0]
    one, other = (run(scorer.score(forked(), NODES)).values for scorer in (scorers, alone))
    assert one == pytest.approx(other, abs=1e-6)


@pytest.mark.ray
def test_the_requests_of_a_problem_meet_in_one_copy_and_its_cache(generators: Generator, scorers: Scorer) -> None:
    for index in range(4):
        tree = forked(f"cache{index}", prompt=f"{index} + {index}")
        run(scorers.score(tree, [0]))
        again = run(scorers.score(tree, [1]))
        assert again.cached_tokens > 0
        assert again.tokens == 2  # "c" and its line end
    problems = [[40 + index, 50, 60, 70, 80] for index in range(4)]
    for ids in problems:
        run(generators.generate(ids, 1, sampling=Sampling(max_tokens=2), seed=0))
    assert all(
        run(generators.generate([*ids, 41, 42], 1, sampling=Sampling(max_tokens=2), seed=0)).cached_tokens >= 5
        for ids in problems
    )


@pytest.mark.ray
def test_the_requests_of_a_lost_copy_go_to_another(cluster: None, policy: str) -> None:
    import ray

    generator = load_generator(GeneratorConfig(name=policy, engine=TWO))[0]
    replicas = generator._replicas  # type: ignore[attr-defined]
    prompts = [[40 + index, 50, 60] for index in range(12)]
    sampling = Sampling(max_tokens=400)

    async def write(kill: bool) -> list[Generation]:
        tasks = [
            asyncio.create_task(
                generator.generate(ids, 2, sampling=sampling, seed=ids[0], stop=at("no model says this"))
            )
            for ids in prompts
        ]
        if kill:
            await asyncio.sleep(0.3)
            assert not all(task.done() for task in tasks)
            ray.kill(replicas.live[0])
        return await asyncio.gather(*tasks)

    killed = run(write(True))
    assert len(replicas.live) == 1
    assert [one.continuations for one in killed] == [one.continuations for one in run(write(False))]
    ray.kill(replicas.live[0])
    with pytest.raises(RunError, match="all Ray actors are lost"):
        run(write(False))


@pytest.mark.ray
def test_more_gpus_than_the_cluster_has_are_refused_before_waiting_for_them(cluster: None, policy: str) -> None:
    engine = TransformersEngine(workers="ray", replicas=2, gpus=1)
    with pytest.raises(InputError, match=r"too few free GPUs, got 0\.0; expected 2 replicas x 1"):
        load_generator(GeneratorConfig(name=policy, engine=engine))


@pytest.mark.ray
def test_an_error_in_building_an_engine_is_that_error(cluster: None, policy: str) -> None:
    with pytest.raises(InputError, match="no such device"):
        load_generator(GeneratorConfig(name=policy, engine=TWO, device="cuda:7"))
