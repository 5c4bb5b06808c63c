from contextlib import nullcontext
from pathlib import Path

import pytest
from pydantic import ValidationError

from prmkit.annotate import bind
from prmkit.annotate.annotation import Annotation, Annotator, annotate
from prmkit.annotate.config import AnnotatorConfig
from prmkit.generate import GeneratorConfig
from prmkit.session import Engines
from prmkit.session.journal import Journal
from prmkit.sources.sample import SampleConfig
from prmkit.trees_io import write_trees
from prmkit.yaml_io import dump_yaml, read_yaml
from tests.annotate.worlds import path, policy
from tests.fakes import make_session


@pytest.mark.parametrize("name", ["", "a b", "a/b", "../a", "a\n", "mönte", "a:b"])
def test_a_name_is_one_of_a_file(name: str) -> None:
    with pytest.raises(ValidationError, match="String should match pattern"):
        AnnotatorConfig(name=name)


@pytest.mark.parametrize("name", ["problems", "solutions", "kept"])
def test_a_name_of_another_file_of_the_run_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match=f"{name} names another file of the run folder"):
        AnnotatorConfig(name=name)


@pytest.mark.parametrize("sample", [None, SampleConfig(size=1, unit="trees")])
def test_every_file_that_a_run_leaves_beside_its_annotators_is_refused_as_a_name(
    tmp_path: Path, sample: SampleConfig | None
) -> None:
    def load(journal: Journal, seed: int) -> Engines:
        return make_session(policy(), journal=journal)._engines

    problems = tmp_path / "passes" / "problems.jsonl"
    write_trees(problems, [path("ok", "4"), path()])
    annotators = [Annotator(name="labels", estimate=bind("monte-carlo", {"rollouts": 2}), load=load)]
    annotation = Annotation(policy=load, solutions=1, annotators=annotators, sample=sample)
    annotate(problems, annotation, tmp_path, watch=lambda what, total: nullcontext(lambda count, figures: None))
    left = {file.stem for file in (tmp_path / "passes").iterdir()} - {"labels"}
    assert left == {"problems", "solutions"} | ({"kept"} if sample else set())
    for name in left:
        with pytest.raises(ValidationError, match="names another file"):
            AnnotatorConfig(name=name)


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(ValidationError, match=r"rollouts\n  Extra inputs are not permitted"):
        AnnotatorConfig.model_validate({"rollouts": 8})


def test_a_run_file_replays_the_config(tmp_path: Path) -> None:
    config = AnnotatorConfig(
        name="two.of-3", estimator="omega", options={"rollouts": 4}, generator=GeneratorConfig(name="some/model")
    )
    file = tmp_path / "run.yaml"
    file.write_text(dump_yaml(config.model_dump(mode="json")))
    assert AnnotatorConfig(**read_yaml(file).values) == config
