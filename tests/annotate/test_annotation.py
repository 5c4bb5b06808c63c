from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest

from prmkit.annotate import bind
from prmkit.annotate.annotation import Annotation, Annotator, annotate
from prmkit.annotate.consensus import ConsensusConfig
from prmkit.annotate.result import AnnotationFigures, AnnotationResult, Read
from prmkit.errors import InputError
from prmkit.run.results import read_result, write_result
from prmkit.session import Engines
from prmkit.session.journal import Journal
from prmkit.sources.sample import SampleConfig
from prmkit.tree import StepTree
from prmkit.trees_io import read_trees, write_trees
from tests.annotate.worlds import PROBLEM, path, values
from tests.fakes import ScriptedGenerator, make_session


def watch(what: str, total: int) -> nullcontext[object]:
    return nullcontext(lambda count, figures: None)


class Model:
    """A policy that spoils every second solution, and judges as it is told."""

    def __init__(self, verdict: str = "none") -> None:
        self.seeds: list[int] = []
        self.generator = ScriptedGenerator(lambda prompt, sample: (self.reply(prompt, sample, verdict), "eos"))

    def reply(self, prompt: str, sample: int, verdict: str) -> str:
        if "[Solution]" in prompt:
            return f"First wrong step: {verdict}"
        return "5" if "bad" in prompt else ("ok\n4", "bad\n5")[sample % 2] if prompt == "?\n" else "4"

    def load(self, journal: Journal, seed: int) -> Engines:
        self.seeds.append(seed)
        return replace(make_session(self.generator)._engines, journal=journal, seed=seed)


def annotation(model: Model, **changes: object) -> Annotation:
    annotators = [Annotator(name="mc", estimate=bind("monte-carlo", {"rollouts": 2}), load=model.load)]
    found = Annotation(policy=model.load, solutions=2, annotators=annotators)
    return replace(found, **changes)  # type: ignore[arg-type]


def run(tmp_path: Path, trees: list[StepTree], wanted: Annotation) -> tuple[AnnotationFigures, list[StepTree]]:
    problems = tmp_path / "problems.jsonl"
    if not problems.exists():
        write_trees(problems, trees)
    found = annotate(problems, wanted, tmp_path, watch=watch)
    return found, list(read_trees(tmp_path / "trees.jsonl")) if found.trees else []


def test_the_policy_solves_what_comes_without_steps_and_one_annotator_labels_all(tmp_path: Path) -> None:
    found, trees = run(tmp_path, [StepTree(PROBLEM), path("bad", "4")], annotation(model := Model()))
    assert [[node.text for node in tree] for tree in trees] == [["ok", "4", "bad", "5"], ["bad", "4"]]
    assert [values(tree) for tree in trees] == [[1.0, 1.0, 0.0, 0.0], [0.0, 1.0]]
    assert (found.problems, found.trees, found.labelled, found.mean_label) == (2, 2, 6, 0.5)
    assert found.passes["solutions"].rollouts == 2
    # The two passes do not share their luck.
    assert len(set(model.seeds)) == 2


def test_problems_that_are_solved_need_no_policy(tmp_path: Path) -> None:
    found, _ = run(tmp_path, [path("ok", "4")], annotation(Model()))
    assert list(found.passes) == ["mc"]
    assert found.consensus is None


def test_a_consensus_keeps_what_both_say_and_counts_the_rest(tmp_path: Path) -> None:
    model = Model(verdict="1")
    both = [
        *annotation(model).annotators,
        Annotator(name="judge", estimate=bind("judge", {}), load=model.load),
    ]
    wanted = annotation(model, annotators=both, consensus=ConsensusConfig())
    found, trees = run(tmp_path, [path("ok", "4"), path("bad", "5")], wanted)
    assert [values(tree) for tree in trees] == [[0.0, None]]
    assert (found.trees, found.unlabelled) == (1, 1)
    assert found.consensus is not None
    assert found.consensus.dropped == {"whether there is an error": 1}


def test_a_result_is_read_as_it_was_written(tmp_path: Path) -> None:
    found, _ = run(tmp_path, [path("ok", "4")], annotation(Model()))
    result = AnnotationResult(**dict(found), read=Read(corpora=[], answered=1, unanswered=2))
    write_result(tmp_path / "metrics.json", result)
    read = read_result(tmp_path / "metrics.json", AnnotationResult)
    assert (read.labelled, read.passes["mc"].rollouts, read.read.unanswered) == (2, 2, 2)
    assert read.as_json() == result.as_json()


def test_a_sample_keeps_a_part(tmp_path: Path) -> None:
    trees = [StepTree(replace(PROBLEM, id=str(n), prompt=f"{n}?")) for n in range(6)]
    for tree in trees:
        tree.add(-1, "4", finish="eos")
    found, kept = run(tmp_path, trees, annotation(Model(), sample=SampleConfig(size=4, unit="labels")))
    assert (len(kept), found.trees) == (4, 4)


def test_a_second_run_in_the_folder_asks_nothing_and_writes_the_same(tmp_path: Path) -> None:
    first, _ = run(tmp_path, [StepTree(PROBLEM)], annotation(Model()))
    written = (tmp_path / "trees.jsonl").read_bytes()
    second, _ = run(tmp_path, [], annotation(model := Model()))
    assert (tmp_path / "trees.jsonl").read_bytes() == written
    assert model.generator.requests == []
    assert second.ledger == first.ledger


def test_what_makes_no_sense_is_refused(tmp_path: Path) -> None:
    model = Model()
    twice = annotation(model, annotators=[*annotation(model).annotators] * 2)
    with pytest.raises(InputError, match="several annotators need a consensus"):
        run(tmp_path, [path("ok", "4")], twice)
