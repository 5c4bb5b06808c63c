import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from prmkit.errors import InputError, RunError
from prmkit.evaluate.labelled import StepsResult
from prmkit.recipe.bind import bind
from prmkit.recipe.compose import compose
from prmkit.recipe.execute import execute, prepare
from prmkit.recipe.stages.evaluate_steps import STAGE, EvaluateStepsRecipe
from prmkit.score import Scores
from prmkit.tree import ROOT, Label, Problem, StepTree
from prmkit.trees_io import read_trees, write_trees
from tests.fakes import TableScorer

ROWS = [
    {"id": "a", "generator": "g", "problem": "1+1?", "steps": ["good", "bad"], "label": 1},
    {"id": "b", "generator": "g", "problem": "1+1?", "steps": ["good"], "label": -1},
    {"id": "c", "generator": "g", "problem": "1+2?", "steps": ["fair", "good"], "label": -1},
]
RIGHT, WRONG = Label(value=1.0, source="human"), Label(value=0.0, source="human")
TABLE = {"good": 0.9, "bad": 0.1, "fair": 0.4}


class Counting(TableScorer):
    """Says which problems it was asked of, and may break off."""

    def __init__(self, table: dict[str, float], breaks_at: str = "") -> None:
        super().__init__(table)
        self.problems: list[str] = []
        self.breaks_at = breaks_at

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        self.problems.append(tree.problem.id)
        if tree.problem.id == self.breaks_at:
            raise RunError("killed")
        return await super().score(tree, nodes)


@pytest.fixture
def scorer(monkeypatch: pytest.MonkeyPatch) -> Counting:
    scorer = Counting(TABLE)
    monkeypatch.setattr("prmkit.recipe.stages.evaluate_steps.load_scorer", lambda config: (scorer, "human"))
    return scorer


def corpus(path: Path, rows: list[dict[str, Any]] = ROWS) -> dict[str, str]:
    path.write_text(json.dumps(rows))
    return {"source": "processbench", "path": str(path)}


def recipe_of(tmp_path: Path, **values: Any) -> EvaluateStepsRecipe:
    (tmp_path / "mine" / "checkpoint").mkdir(parents=True, exist_ok=True)
    given = {"corpus": corpus(tmp_path / "rows.json"), "scorer": {"checkpoint": f"{tmp_path}/mine/checkpoint"}} | values
    return EvaluateStepsRecipe(stage="evaluate-steps", **given)


def test_a_corpus_is_scored_and_the_record_replays_it(tmp_path: Path, scorer: Counting) -> None:
    folder, result = execute(recipe_of(tmp_path), tmp_path / "run")
    assert isinstance(result, StepsResult)
    # a: its second step is wrong, and found. b: right, and so called. c: right, and its first step called wrong.
    assert result.erroneous is not None
    assert result.correct is not None
    assert (result.erroneous.value, result.correct.value, result.threshold_from) == (1.0, 0.5, "given")
    assert (result.corpus.kept, result.scoring.steps) == (3, 5)
    assert [[node.score for node in tree] for tree in read_trees(folder.trees)] == [[0.9, 0.1], [0.9], [0.4, 0.9]]
    _, again = execute(bind(compose(folder.record)), tmp_path / "again")
    assert isinstance(again, StepsResult)
    one, other = ({**each.as_json(), "seconds": 0.0, "scoring": None} for each in (result, again))
    assert one == other


def test_a_threshold_is_chosen_on_other_data_and_says_so(tmp_path: Path, scorer: Counting) -> None:
    apart = corpus(tmp_path / "apart.json", [{**row, "id": f"{row['id']}2"} for row in ROWS])
    _, result = execute(recipe_of(tmp_path, choose_on=apart), tmp_path / "run")
    assert isinstance(result, StepsResult)
    assert result.threshold_from == apart["path"]
    assert 0.1 < result.threshold <= 0.4  # all three solutions are then judged rightly
    assert result.f1 is not None
    assert result.f1.value == 1.0
    with pytest.raises(ValueError, match="must be chosen on other data"):
        recipe_of(tmp_path, choose_on=corpus(tmp_path / "rows.json"))
    with pytest.raises(InputError, match=r"copy\.json: the threshold would be chosen on the data it is tried on"):
        prepare(recipe_of(tmp_path, choose_on=corpus(tmp_path / "copy.json")))


def test_a_killed_scoring_goes_on_where_it_was(tmp_path: Path, scorer: Counting) -> None:
    recipe = recipe_of(tmp_path)
    third = [tree.problem.id for tree in recipe.corpus.corpus()][2]
    scorer.breaks_at = third
    with pytest.raises(RunError, match="killed"):
        execute(recipe, tmp_path / "run")
    asked, scorer.problems, scorer.breaks_at = scorer.problems, [], ""
    folder, result = execute(recipe, tmp_path / "run", resume=True)
    assert len(asked) == 3
    assert scorer.problems == [third]
    assert result.scoring.steps == 5  # type: ignore[union-attr]
    assert not (folder.path / "scored.jsonl").exists()


def test_labels_that_say_too_little_are_refused_before_a_model_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prmkit.recipe.stages.evaluate_steps.load_scorer", None)
    right = corpus(tmp_path / "right.json", ROWS[1:])
    bare = tmp_path / "bare.jsonl"
    write_trees(bare, [StepTree.from_steps(Problem(id="p", prompt="?"), ["good"])])
    with pytest.raises(InputError, match="no solution has a label"):
        prepare(recipe_of(tmp_path, corpus={"source": "trees", "path": str(bare)}))
    with pytest.raises(InputError, match="F1 needs solutions with and without an error, got '0 with, 2 without'"):
        prepare(recipe_of(tmp_path, choose_on=right))


def test_labels_of_steps_that_will_not_be_read_do_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the trees note what another PRM read."""
    monkeypatch.setattr("prmkit.recipe.stages.evaluate_steps.load_scorer", lambda config: (Counting(TABLE), "human"))
    tree = StepTree(Problem(id="p", prompt="?"))
    tree.add(tree.add(ROOT, "good", thought=True, label=RIGHT), "bad", thought=True, label=WRONG)
    tree.note_reads("answer")
    write_trees(tmp_path / "trees.jsonl", [tree])
    data = {"source": "trees", "path": str(tmp_path / "trees.jsonl")}
    _, result = execute(recipe_of(tmp_path, corpus=data), tmp_path / "run")
    assert isinstance(result, StepsResult)
    assert (result.solutions, result.steps.steps) == (1, 2)
    with pytest.raises(InputError, match="no solution has a label"):
        prepare(recipe_of(tmp_path, corpus=data, scorer={"checkpoint": "runs/mine/checkpoint", "reads": "answer"}))


def test_bad_rows_of_both_corpora_are_kept_once_with_their_places(tmp_path: Path, scorer: Counting) -> None:
    bad = {"id": "bad", "problem": "1+1?", "steps": ["good"], "label": 7}
    both = [
        corpus(tmp_path / f"{name}.json", [*({**row, "id": f"{row['id']}{name}"} for row in ROWS), bad])
        for name in "xy"
    ]
    one, other = ({**each, "max_bad": 0.5} for each in both)
    recipe = recipe_of(tmp_path, corpus=one, choose_on=other)
    folder, _ = execute(recipe, tmp_path / "run")
    execute(recipe, tmp_path / "run", resume=True)
    rows = [json.loads(line) for line in folder.quarantine.read_text().splitlines()]
    assert [Path(row["where"].partition(":")[0]).name for row in rows] == ["x.json", "y.json"]


def test_a_folder_is_named_by_corpus_and_prm_and_data_are_inputs(tmp_path: Path) -> None:
    here = recipe_of(tmp_path, scorer={"checkpoint": f"{tmp_path}/mine/checkpoint"})
    assert STAGE.folder(here) == Path("runs/evaluate-rows-mine")
    assert list(STAGE.inputs(here)) == [f"{tmp_path}/rows.json", None]
    hub = recipe_of(
        tmp_path,
        corpus={"source": "processbench", "path": "hub:Qwen/ProcessBench:gsm8k"},
        scorer={"checkpoint": "Qwen/Qwen2.5-Math-PRM-7B"},
    )
    assert STAGE.folder(hub) == Path("runs/evaluate-ProcessBench-gsm8k-Qwen2.5-Math-PRM-7B")
    assert list(STAGE.inputs(hub)) == ["hub:Qwen/ProcessBench:gsm8k", None]


def test_a_prm_is_needed(tmp_path: Path) -> None:
    (tmp_path / "r.yaml").write_text("stage: evaluate-steps\ncorpus: {source: processbench, path: x.json}\n")
    with pytest.raises(InputError, match="missing key scorer; expected the PRM, or another scorer of steps"):
        bind(compose(tmp_path / "r.yaml"))
