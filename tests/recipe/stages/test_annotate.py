import json
from pathlib import Path

import pytest

from prmkit.annotate.result import AnnotationResult
from prmkit.errors import InputError
from prmkit.recipe.execute import execute, prepare
from prmkit.recipe.stage import Resources
from prmkit.recipe.stages.annotate import STAGE, annotation_of, gathered_of
from prmkit.world import WEIGHTS
from tests.recipe.stages.bound import bound

POLICY = f"generator.name={WEIGHTS / 'policy'}"
ONE_PROBLEM = "problems=[{benchmark: synthetic-math, limit: 1, seed: 11, options: {split: train}}]"


def test_what_was_read_is_remembered_by_a_run_that_goes_on(tmp_path: Path) -> None:
    rows = [{"prompt": "What is 1 + 1?", "completions": ["2"], "labels": [True]}, {"prompt": "no answer"}]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    data = f"data=[{{source: trl, path: {tmp_path}/c.jsonl, max_bad: 1}}]"
    recipe = bound(
        "synthetic/annotate", POLICY, ONE_PROBLEM, data, "solutions=1", "annotators=[{options: {rollouts: 1}}]"
    )
    folder, first = execute(recipe, tmp_path / "run")
    assert isinstance(first, AnnotationResult)
    assert first.problems == 2  # one of the benchmark, one of the corpus
    assert [(each.kept, each.quarantined) for each in first.read.corpora] == [(1, 1)]
    assert len(folder.quarantine.read_text().splitlines()) == 1
    trees = folder.trees.read_bytes()
    _, second = execute(recipe, folder.path, resume=True)
    assert isinstance(second, AnnotationResult)
    assert second.read == first.read
    assert folder.trees.read_bytes() == trees
    assert len(folder.quarantine.read_text().splitlines()) == 1


def test_passes_that_share_a_model_load_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = bound("synthetic/annotate", POLICY)
    annotation = annotation_of(recipe)
    loaded: list[str] = []

    def engines_of(policy: object, seed: int, **others: object) -> object:
        loaded.append(policy.name)  # type: ignore[attr-defined]
        raise InputError("enough")

    monkeypatch.setattr("prmkit.recipe.stages.annotate.engines_of", engines_of)
    with pytest.raises(InputError, match="enough"):
        annotation.policy(None, 0)  # type: ignore[arg-type]
    assert loaded == [str(WEIGHTS / "policy")]


def test_a_policy_or_a_corpus_that_is_not_there_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        prepare(bound("synthetic/annotate", ONE_PROBLEM, "generator.name=/nowhere"))
    recipe = bound(
        "synthetic/annotate", POLICY, ONE_PROBLEM, f"answers=[{{source: rows, path: {tmp_path}/gone.jsonl}}]"
    )
    with pytest.raises(InputError, match=r"gone\.jsonl: no such file"):
        gathered_of(recipe, [])


def test_every_file_is_an_input_and_the_cost_is_known_from_a_pilot_alone() -> None:
    recipe = bound("synthetic/annotate", ONE_PROBLEM, POLICY, "data=[{source: rows, path: a.jsonl}]", "pilot=1")
    assert list(STAGE.inputs(recipe)) == [None, "a.jsonl"]
    assert STAGE.cost(recipe, Resources()) == "unknown; --pilot tries a few problems"
    told = STAGE.cost(recipe.model_copy(update={"data": []}), Resources(pilot=True))
    assert "rollouts" in told
    assert "tokens" in told
    assert STAGE.cost(recipe, Resources(pilot=True)).startswith("unknown (a.jsonl: no such file")
    assert STAGE.expected(recipe.model_copy(update={"pilot": 0})) == {}
