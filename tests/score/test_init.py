import re
from typing import Any

import pytest
from pydantic import ValidationError

from prmkit.errors import InputError
from prmkit.generate.config import CustomEngine, TransformersEngine, VllmEngine
from prmkit.score import SCORERS, PrmConfig, ScorerConfig, load_engine, load_scorer, replicas
from tests.fakes import TableScorer

SERVER = {"name": "server", "url": "http://h:1"}
JUDGE = {"name": "judge", "generator": {"name": "a judge"}}
ENSEMBLE = {"name": "ensemble", "members": [{"engine": {"name": "shortest"}}, {"engine": {"name": "longest"}}]}


MINE = TableScorer({})


def load_mine(config: PrmConfig) -> tuple[TableScorer, PrmConfig]:
    """Somebody's engine, which is only told of."""
    return MINE, config


@pytest.mark.parametrize("engine", [{}, {"name": "transformers"}, {"name": "vllm"}, SERVER])
def test_an_engine_that_reads_a_prm_needs_one(engine: dict[str, Any]) -> None:
    name = engine.get("name", "transformers")
    with pytest.raises(ValidationError, match=f"engine {name} needs a checkpoint"):
        ScorerConfig.model_validate({"engine": engine})
    assert ScorerConfig.model_validate({"engine": engine, "checkpoint": "runs/prm"}).engine.name == name


@pytest.mark.parametrize("engine", [JUDGE, {"name": "random"}, {"name": "shortest"}, {"name": "longest"}, ENSEMBLE])
@pytest.mark.parametrize("given", [{"checkpoint": "runs/prm"}, {"adapter": "trl"}])
def test_an_engine_that_reads_none_is_given_none(engine: dict[str, Any], given: dict[str, str]) -> None:
    assert ScorerConfig.model_validate({"engine": engine}).engine.name == engine["name"]
    with pytest.raises(ValidationError, match=f"engine {engine['name']} reads no checkpoint"):
        ScorerConfig.model_validate({"engine": engine} | given)


@pytest.mark.parametrize("given", [{}, {"checkpoint": "runs/prm"}, {"checkpoint": "runs/prm", "adapter": "trl"}])
def test_somebodys_engine_knows_itself_what_it_needs(given: dict[str, str]) -> None:
    engine = CustomEngine(name="tests.score.test_init:load_mine", options={"layers": 3})
    config = ScorerConfig.model_validate({"engine": engine} | given)
    assert load_engine(config) == (MINE, config)


@pytest.mark.parametrize("reads", ["thought", "answer", "both"])
def test_any_engine_reads_the_steps_that_the_recipe_says(reads: Any) -> None:
    config = ScorerConfig(engine=CustomEngine(name="tests.score.test_init:load_mine"), reads=reads)
    scorer, source = load_scorer(config)
    assert (scorer.scorer, scorer.reads, source) == (MINE, reads, config)


def test_a_prm_of_its_own_reads_all_steps_and_one_of_an_ensemble_what_the_ensemble_reads() -> None:
    engine = CustomEngine(name="tests.score.test_init:load_mine")
    assert load_scorer(PrmConfig(engine=engine))[0].reads == ScorerConfig(engine=engine).reads == "both"
    with pytest.raises(ValidationError, match="reads"):
        ScorerConfig.model_validate({"engine": ENSEMBLE | {"members": [{"engine": engine, "reads": "answer"}] * 2}})


def test_somebodys_engine_that_is_not_there_is_bad_input() -> None:
    engine = CustomEngine(name="tests.score.test_init:load_yours")
    with pytest.raises(InputError, match=r"cannot import the scorer engine, got 'tests\.score\.test_init:load_yours'"):
        load_scorer(ScorerConfig(engine=engine))


@pytest.mark.parametrize("engine", [TransformersEngine(workers="ray"), VllmEngine(name="vllm", workers="ray")])
def test_an_engine_on_ray_is_one_of_actors_whatever_it_is(
    monkeypatch: pytest.MonkeyPatch, engine: TransformersEngine
) -> None:
    monkeypatch.setattr(replicas, "replicated_scorer", lambda config: (MINE, config.engine))
    scorer, told = load_scorer(ScorerConfig(checkpoint="runs/prm", engine=engine, reads="answer"))
    assert (scorer.scorer, scorer.reads, told) == (MINE, "answer", engine)


@pytest.mark.parametrize("name", sorted(SCORERS.builtin))
def test_a_built_in_engine_can_be_imported(name: str) -> None:
    """Also where the library that it needs is not installed."""
    assert callable(SCORERS.load(name))


def test_every_built_in_engine_can_be_named_in_a_recipe() -> None:
    engines: dict[str, dict[str, Any]] = {"server": SERVER, "judge": JUDGE, "ensemble": ENSEMBLE}
    for name in SCORERS.builtin:
        checkpoint = {"checkpoint": "runs/prm"} if name in ("transformers", "vllm", "server") else {}
        config = ScorerConfig.model_validate({"engine": engines.get(name, {"name": name})} | checkpoint)
        assert config.engine.name == name


def test_what_names_no_engine_is_met_by_the_names() -> None:
    names = "transformers, vllm, server, judge, random, shortest, longest, ensemble, or my_package.module:load"
    with pytest.raises(ValidationError, match=re.escape(f"an engine with a name among {names}")):
        ScorerConfig.model_validate({"engine": {"name": "longes"}})


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"members": ENSEMBLE["members"][:1]}, "members"),  # one PRM comes to no consensus
        ({"members": [*ENSEMBLE["members"], {"engine": ENSEMBLE}]}, "members"),  # nor does an ensemble within one
        ({"members": [*ENSEMBLE["members"], {"checkpoint": "runs/prm", "engine": {"name": "random"}}]}, "members"),
        ({"consensus": "median"}, "consensus"),
        ({"threshold": 1.5}, "threshold"),
        ({"weights": [1, 2]}, "weights"),
    ],
)
def test_what_is_no_ensemble_is_refused(change: dict[str, Any], where: str) -> None:
    with pytest.raises(ValidationError) as raised:
        ScorerConfig.model_validate({"engine": ENSEMBLE | change})
    assert all(where in error["loc"] for error in raised.value.errors())


@pytest.mark.parametrize(
    "option", [{"aggregation": "median"}, {"reads": "all"}, {"max_tokens": 0}, {"adapter": "mine"}, {"chekpoint": 3}]
)
def test_what_no_scorer_can_be_is_refused(option: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(option))):
        ScorerConfig.model_validate({"checkpoint": "runs/prm"} | option)
