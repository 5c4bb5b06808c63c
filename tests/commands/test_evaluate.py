import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from prmkit.benchmarks.synthetic_code import problems, write
from prmkit.benchmarks.synthetic_world import Slips
from prmkit.models.checkpoint import CheckpointMeta, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.models.tokenizer import load_tokenizer
from prmkit.packing.format import StepFormat
from prmkit.tree import ROOT as NO_STEP
from prmkit.tree import Label, Problem, StepTree
from prmkit.trees_io import read_trees, write_trees
from tests.commands.conftest import ROOT, Answer
from tests.recipe.stages.searched import search_run

ROWS = [
    {"id": "a", "generator": "g", "problem": "1+1?", "steps": ["1+1", "3"], "label": 1},
    {"id": "b", "generator": "g", "problem": "1+1?", "steps": ["2"], "label": -1},
]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory, backbone: str) -> Path:
    folder = tmp_path_factory.mktemp("prm") / "checkpoint"
    torch.manual_seed(0)
    prm = PRM.from_backbone(backbone, ModelConfig(name=backbone))
    save_prm(
        prm,
        load_tokenizer(backbone),
        folder,
        CheckpointMeta(format=StepFormat(), label_source="human", max_length=64),
    )
    return folder


def test_a_labelled_file_is_scored_and_the_figures_are_kept(
    prmkit: Callable[..., Answer], checkpoint: Path, tmp_path: Path
) -> None:
    data = tmp_path / "rows.json"
    data.write_text(json.dumps(ROWS))
    answer = prmkit("evaluate", "steps", data, "--prm", checkpoint, "--out", tmp_path / "run", "--json")
    assert answer.code == 0, answer.err
    printed = json.loads(answer.out)
    assert (printed["erroneous"]["n"], printed["correct"]["n"], printed["scoring"]["steps"]) == (1, 1, 3)
    assert printed["seconds"] > 0
    assert "score: 2 of 2" in answer.err
    stored = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert stored["f1"] == printed["f1"]
    trees = [json.loads(line) for line in (tmp_path / "run" / "trees.jsonl").read_text().splitlines()]
    assert all(0 <= node["score"] <= 1 for tree in trees for node in tree["nodes"])


def test_both_accuracies_of_processbench_stand_beside_their_mean_in_the_table(
    prmkit: Callable[..., Answer], checkpoint: Path, tmp_path: Path
) -> None:
    data = tmp_path / "rows.json"
    data.write_text(json.dumps(ROWS))
    answer = prmkit("evaluate", "steps", data, "--prm", checkpoint, "--out", tmp_path / "run")
    again = prmkit("evaluate", tmp_path / "run" / "run.yaml", "--out", tmp_path / "again")  # without its verb
    for out in (answer.out, again.out):
        rows = dict(line.split(maxsplit=1) for line in out.splitlines() if line.strip())
        assert [rows[name].endswith("(n = 1)") for name in ("erroneous", "correct")] == [True, True]
        assert rows["f1"].endswith("(n = 2)")


def test_humaneval_plus_shows_what_passes_its_base_tests_beside_what_passes_all(
    prmkit: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRMKIT_CACHE", str(tmp_path / "cache"))
    task = {
        "task_id": "HumanEval/0",
        "prompt": "def f(x):\n",
        "entry_point": "f",
        "canonical_solution": "    return 2 * x\n",
    }
    benchmark = tmp_path / "plus.jsonl"
    benchmark.write_text(json.dumps({**task, "base_input": [[2]], "plus_input": [[-2]], "atol": 0}) + "\n")
    programs = [f"def f(x): return {body}" for body in ("x + x", "2 * abs(x)", "2 * abs(x) + 0", "0")]
    file = tmp_path / "samples.jsonl"
    file.write_text(json.dumps({"id": "HumanEval/0", "responses": programs}) + "\n")
    asked = ["evaluate", file, "--benchmark", "humaneval-plus", "--problems", benchmark, "--out", tmp_path / "run"]
    answer = prmkit(*asked)
    assert answer.code == 0, answer.err
    rows = dict(line.split(maxsplit=1) for line in answer.out.splitlines() if line.strip())
    assert [rows[name] for name in ("base.pass@1", "plus.pass@1")] == ["0.7500 (n = 1)", "0.2500 (n = 1)"]
    # Of six pairs none lacks a program that passes the base tests; three hold the right one.
    assert [rows[name] for name in ("base.pass@2", "plus.pass@2")] == ["1.0000 (n = 1)", "0.5000 (n = 1)"]
    assert rows["selection.pass@1"] == rows["plus.pass@1"]


def test_a_folder_that_is_no_prm_is_named_and_nothing_is_written(
    prmkit: Callable[..., Answer], backbone: str, tmp_path: Path
) -> None:
    data = tmp_path / "rows.json"
    data.write_text(json.dumps(ROWS))
    answer = prmkit("evaluate", "steps", data, "--prm", backbone, "--out", tmp_path / "run")
    assert (answer.code, answer.out) == (2, "")
    assert f"{backbone}: not the checkpoint of a PRM" in answer.err
    assert not (tmp_path / "run").exists()


def test_a_missing_run_is_named(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    answer = prmkit("evaluate", tmp_path / "gone")
    assert answer.code == 2
    assert f"{tmp_path}/gone: no such run folder or file. Check the path." in answer.err


@pytest.mark.realdata
@pytest.mark.slow
def test_all_of_processbench_gsm8k(
    prmkit: Callable[..., Answer], data_dir: Path, checkpoint: Path, tmp_path: Path
) -> None:
    file = data_dir / "processbench" / "gsm8k.json"
    answer = prmkit("evaluate", "steps", file, "--prm", checkpoint, "--out", tmp_path / "run", "--json")
    assert answer.code == 0, answer.err
    printed = json.loads(answer.out)
    assert (printed["erroneous"]["n"], printed["correct"]["n"], printed["cut"]) == (207, 193, 0)
    assert "score: 400 of 400" in answer.err


LINES = [
    {"id": "a", "problem": "1+1?", "answer": "2", "responses": ["#### 2", "#### 3"], "scores": [0.9, 0.2], "level": 1},
    {"id": "b", "problem": "2+2?", "answer": "4", "responses": ["#### 4", "#### 4"], "scores": [0.3, 0.2], "level": 2},
]


def lines(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_anybodys_samples_are_evaluated_compared_and_checked_for_contamination(
    prmkit: Callable[..., Answer], tmp_path: Path
) -> None:
    file = lines(tmp_path / "a.jsonl", *LINES)
    answer = prmkit("evaluate", file, "--out", tmp_path / "one", "--json")
    assert answer.code == 0, answer.err
    first = json.loads(answer.out)
    assert first["selection"]["prm@2"]["value"] == 1.0
    assert first["groups"]["level"]["1"]["maj@2"]["value"] == 0.5
    assert json.loads((tmp_path / "one" / "metrics.json").read_text())["curves"] == first["curves"]
    assert "recipe" in (tmp_path / "one" / "run.yaml").read_text()
    worse = lines(tmp_path / "b.jsonl", {**LINES[0], "responses": ["#### 5", "#### 3"]}, LINES[1])
    corpus = lines(tmp_path / "c.jsonl", {"id": "x", "problem": "2+2?", "steps": ["4"], "label": -1})
    options = ("--compare", tmp_path / "one", "--against", corpus, "--out", tmp_path / "two", "--json")
    answer = prmkit("evaluate", worse, *options)
    assert answer.code == 0, answer.err
    second = json.loads(answer.out)
    rules = {row["rule"]: row for row in second["comparison"]}
    assert rules["prm@2"]["difference"]["value"] == -0.5
    assert (rules["prm@2"]["better"], rules["prm@2"]["worse"], rules["prm@2"]["mcnemar"]) == (0, 1, 1.0)
    assert (second["contamination"]["seen"], second["contamination"]["problems"][0]["id"]) == (1, "b")
    table = prmkit("evaluate", file, "--out", tmp_path / "three")
    assert "selection.prm@2" in table.out
    assert "1.0000" in table.out


def test_nothing_is_judged_where_the_result_could_not_be_written(
    prmkit: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, out = tmp_path / "samples.jsonl", tmp_path / "out"
    data.write_text(json.dumps({"problem": "1 + 1?", "answer": "2", "responses": ["#### 2", "#### 3"]}) + "\n")
    assert prmkit("evaluate", data, "--out", out).code == 0

    def judge(*_: object) -> None:
        raise AssertionError("it was judged")

    with monkeypatch.context() as patched:
        patched.setattr("prmkit.evaluate.judging.judge", judge)
        answer = prmkit("evaluate", data, "--out", out)
    assert answer.code == 2
    assert "the folder is not empty. Give --resume" in answer.err
    before = (out / "metrics.json").read_bytes()
    data.write_text(json.dumps({"problem": "1 + 1?", "responses": ["#### 2"]}) + "\n")  # nothing to judge it by
    assert prmkit("evaluate", data, "--out", out, "--overwrite").code == 2
    assert (out / "metrics.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--problems", "x.jsonl"], "missing key problems.benchmark; expected a benchmark by name"),
        (["--compare", "gone.json"], "no evaluation to compare with"),
        (["--benchmark", "math50"], "unknown benchmark"),
    ],
)
def test_bad_options_are_named_and_nothing_is_overwritten(
    prmkit: Callable[..., Answer], tmp_path: Path, options: list[str], message: str
) -> None:
    answer = prmkit("evaluate", lines(tmp_path / "a.jsonl", *LINES), "--out", tmp_path / "run", *options)
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err


def test_the_threshold_is_chosen_on_a_split_that_is_named(
    prmkit: Callable[..., Answer], checkpoint: Path, tmp_path: Path
) -> None:
    data, apart = tmp_path / "rows.json", tmp_path / "apart.json"
    data.write_text(json.dumps(ROWS))
    apart.write_text(json.dumps([{**row, "id": row["id"] + "2"} for row in ROWS]))
    answer = prmkit(
        "evaluate", "steps", data, "--prm", checkpoint, "--choose-on", apart, "--out", tmp_path / "run", "--json"
    )
    assert answer.code == 0, answer.err
    printed = json.loads(answer.out)
    assert printed["threshold_from"] == str(apart)
    assert printed["calibration"]["brier"]["n"] == 2
    same = prmkit("evaluate", "steps", data, "--prm", checkpoint, "--choose-on", data, "--out", tmp_path / "again")
    assert (same.code, "must be chosen on other data" in same.err) == (2, True)


def test_what_is_said_of_the_other_corpus_and_of_the_threshold_holds(
    prmkit: Callable[..., Answer], checkpoint: Path, tmp_path: Path
) -> None:
    def said(*arguments: object) -> dict[str, object]:
        answer = prmkit("evaluate", "steps", *arguments, "--prm", checkpoint, "--dry-run", "--json")
        assert answer.code == 0, answer.err
        rows = {row["key"]: row["value"] for row in json.loads(answer.out)}
        return {key: rows.get(key) for key in ("corpus.source", "choose_on", "choose_on.source", "threshold")}

    known = {"corpus.source": "trl", "choose_on.source": "trl", "choose_on": None, "threshold": 0.5}
    assert said("x.jsonl", "--source", "trl", "--choose-on", "y.jsonl") == known
    other = said("x.jsonl", "--source", "trl", "--choose-on", "y.jsonl", "--set", "choose_on.source=rows")
    assert other == {**known, "choose_on.source": "rows"}
    recipe = tmp_path / "r.yaml"
    recipe.write_text("stage: evaluate-steps\ncorpus: {path: x.json}\nchoose_on: {source: trl, path: y.jsonl}\n")
    assert said(recipe) == {**known, "corpus.source": "processbench"}
    assert said(recipe, "--choose-on", "z.json")["choose_on.source"] == "processbench"  # of the same kind
    given = said(recipe, "--threshold", 0.25)
    assert given == {"corpus.source": "processbench", "choose_on": None, "choose_on.source": None, "threshold": 0.25}


def test_a_prm_is_asked_for_in_words_of_the_verb(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    answer = prmkit("evaluate", "steps", "rows.json")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err == "rows.json: no PRM to measure. Give --prm CHECKPOINT, or a recipe with a scorer.\n"
    other = tmp_path / "r.yaml"
    other.write_text("stage: evaluate-anytime\npath: runs/mine\n")
    answer = prmkit("evaluate", "steps", other)
    assert "the recipe is for another verb, got 'evaluate-anytime'" in answer.err
    other.write_text("stage: evaluate-steps\ncorpus: rows.json\nscorer: {checkpoint: x}\n")
    answer = prmkit("evaluate", "steps", other, "--choose-on", "apart.json")
    assert answer.err == f"{other}:2: illegal corpus, got 'rows.json'; expected a mapping of keys\n"


def test_another_ones_prm_is_evaluated_by_its_adapter(
    prmkit: Callable[..., Answer], tmp_path: Path, backbone: str
) -> None:
    data = tmp_path / "rows.json"
    data.write_text(json.dumps(ROWS))
    arguments = ["evaluate", "steps", data, "--prm", backbone, "--out", tmp_path / "run", "--json"]
    unnamed = prmkit(*arguments)
    assert unnamed.code == 2
    assert "does not say whose" in unnamed.err
    answer = prmkit(*arguments, "--adapter", "math-shepherd")
    assert answer.code == 0, answer.err
    assert json.loads(answer.out)["scoring"]["steps"] == 3
    assert prmkit(*arguments, "--adapter", "mathshepherd").code == 2


def test_rethinking_is_told_of_a_search_and_kept(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    tree = StepTree.from_steps(Problem(id="p", prompt="2 + 2", answer="4"), ["5", "wait, 4", "#### 4"], [None] * 3)
    for node, score in enumerate((0.25, 0.75, 0.5)):
        tree.set_score(node, score)
    tree.set_finish(2, "eos")
    write_trees(tmp_path / "trees.jsonl", [tree])
    answer = prmkit("evaluate", "rethinking", tmp_path, "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert found["differences"]["rethinking - before"]["value"] == 0.5
    assert json.loads((tmp_path / "rethinking" / "metrics.json").read_text())["example"] == found["example"]
    assert prmkit("evaluate", "rethinking", tmp_path).code == 2
    assert prmkit("evaluate", "rethinking", tmp_path / "nowhere").code == 2


def test_a_recipe_of_another_evaluation_is_run_and_shown_as_by_its_own_verb(
    prmkit: Callable[..., Answer], tmp_path: Path
) -> None:
    run = search_run(tmp_path / "run", [[("4", 0.9), ("5", 0.2)]])
    for verb, figure in (("anytime", "generations"), ("selection", "majority"), ("rethinking", "scores.other")):
        own = prmkit("evaluate", verb, run)
        assert figure in own.out
        out = tmp_path / verb
        replayed = prmkit("evaluate", run / verb / "run.yaml", "--out", out)
        assert replayed.code == 0, replayed.err
        assert replayed.out.split() == own.out.replace(f"{run}/{verb}", str(out)).split()


def test_the_share_of_right_solutions_is_shown_and_single_verdicts_are_not(
    prmkit: Callable[..., Answer], checkpoint: Path, tmp_path: Path
) -> None:
    data = tmp_path / "rows.json"
    data.write_text(json.dumps(ROWS))
    answer = prmkit("evaluate", "steps", data, "--prm", checkpoint, "--out", tmp_path / "steps")
    assert any(line.split()[0] == "correct" for line in answer.out.splitlines() if line)
    answer = prmkit("evaluate", lines(tmp_path / "a.jsonl", *LINES), "--out", tmp_path / "samples")
    assert "correct" not in answer.out


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Trees of two programs for each of 200 problems, some of them wrong."""
    rng, trees = random.Random(5), []
    for problem in problems(200, seed=5):
        tree = StepTree(problem)
        for _ in range(2):
            node = NO_STEP
            for step in write(problem.prompt, rng, Slips(misread=0.2, miscalculate=0.2, corrected=0.2)):
                node = tree.add(node, step, score=rng.random(), label=Label(value=rng.random(), source="made up"))
            tree.set_finish(node, "eos")
        trees.append(tree)
    write_trees(tmp_path / "programs.jsonl", trees)
    return tmp_path / "programs.jsonl"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "kept"), [("samples", "judged.jsonl"), ("steps", "scored.jsonl")], ids=["samples", "steps"]
)
def test_a_killed_evaluation_goes_on_and_comes_out_as_if_nothing_had_happened(
    tmp_path: Path, programs: Path, checkpoint: Path, verb: str, kept: str
) -> None:
    small = ("--set", "scorer.max_tokens=256")  # so that scores come a few at a time
    options = ("--source", "trees", "--prm", checkpoint, *small) if verb == "steps" else ()

    def start(out: Path, *more: str) -> "subprocess.Popen[bytes]":
        words = [sys.executable, ROOT / "cli.py", "evaluate", verb, programs, *options, "--out", out, "--json", *more]
        return subprocess.Popen([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def lines_of(out: Path) -> int:
        return (out / kept).read_bytes().count(b"\n") if (out / kept).exists() else 0

    killed, whole = tmp_path / "killed", tmp_path / "whole"
    for so_far in (5, 60):
        process = start(killed, "--resume")
        while lines_of(killed) < so_far and process.poll() is None:
            time.sleep(0.001)
        process.kill()
        process.communicate()
        assert so_far <= lines_of(killed) < 200
        with (killed / kept).open("ab") as file:
            file.write(b'{"item": 199, "ans')  # as far as a line came
    results = []
    for out in (killed, whole):
        printed, _ = start(out, "--resume").communicate()
        results.append(json.loads(printed))
        results_in = {"samples": ["verdicts.jsonl"], "steps": ["checks.json", "trees.jsonl"]}
        assert {file.name for file in out.iterdir()} == {"metrics.json", "run.yaml", *results_in[verb]}
    one, other = results
    if verb == "samples":
        assert {**one, "run": ""} == {**other, "run": ""}
    else:
        assert one["scoring"]["steps"] == other["scoring"]["steps"]
        # In batches of other trees the same sums are rounded otherwise.
        scores = [[node.score for tree in read_trees(out / "trees.jsonl") for node in tree] for out in (killed, whole)]
        assert scores[0] == pytest.approx(scores[1], abs=1e-5)
