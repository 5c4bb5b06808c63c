import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from prmkit.evaluate.evaluation import evaluate_solutions
from prmkit.evaluate.solutions import solutions_in
from prmkit.run.folder import RunFolder
from prmkit.run.results import write_result
from prmkit.similarity.statistics.gram import PatternGram
from prmkit.tree import ROOT, Problem, StepTree
from prmkit.trees_io import write_trees
from tests.commands import conftest
from tests.commands.conftest import Answer


def searched(number: int, operation: str) -> StepTree:
    """A problem with two solutions, of which the second was chosen."""
    tree = StepTree(Problem(id=f"{operation}{number}", prompt=f"{number} {operation} 2 = ?"))
    tree.add(ROOT, f"{number} {operation} 2", finish="eos")
    tree.add(ROOT, f"wait, it is {number * 7}{operation}", finish="eos")
    tree.meta["chosen"] = "1"
    return tree


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    """Two search runs; the first one was evaluated."""
    trees = {name: [searched(number, sign) for number in range(4)] for name, sign in (("math", "+"), ("code", "-"))}
    for name, found in trees.items():
        write_trees(tmp_path / name / "trees.jsonl", found)
    judged = [
        replace(solutions_in(tree), verdicts=(number % 2 == 0, True)) for number, tree in enumerate(trees["math"])
    ]
    write_result(RunFolder(tmp_path / "math").evaluation, evaluate_solutions(judged))
    return [f"{name}={tmp_path / name}" for name in ("math", "code")]


def test_search_runs_give_table_2_its_tests_and_a_gram_that_is_read_again(
    prmkit: Callable[..., Answer], runs: list[str], backbone: str, tmp_path: Path
) -> None:
    plain = ("--set", 'reference.format={template: plain, step_end: "\\n"}', "--set", "reference.dtype=float32")
    options = ("--set", "draws=200", "--set", "baselines=[hidden, gradient, signed_gradient, ngram]")
    out = tmp_path / "run"
    found = prmkit("similarity", *runs, "--reference", backbone, *plain, *options, "--out", out, "--json")
    assert found.code == 0, found.err
    printed = json.loads(found.out)
    assert printed["responses"] == {"math_prm": 4, "math": 8, "code_prm": 4, "code": 8}
    assert [row["pairs"] for row in printed["table"] if (row["first"], row["second"]) == ("math_prm", "code")] == [32]
    assert len(printed["table"]) == 10
    assert {(row["pair"], row["less"]) for row in printed["differences"]} == {
        ("math_prm - code_prm", "math - code"),
        ("math_prm - code", "math - code"),
        ("math - code_prm", "math - code"),
    }
    # Correctness of code is not known, so only length is held fixed.
    assert {row["strata"] for row in printed["random_selection"]} == {"none", "length"}
    assert {row["baseline"] for row in printed["baselines"]} == {"hidden states", "|gradient|", "gradient", "n-grams"}
    rethinks = {row["set"]: row["rethinks"]["value"] for row in printed["texts"]}
    assert rethinks == {"math_prm": 1.0, "math": 0.5, "code_prm": 1.0, "code": 0.5}
    assert any("reference model" in line for line in printed["inferred"])
    gram = PatternGram.load(out / "gram")
    assert [gram.correct[row] for row in gram.rows("math")] == [True, True, False, True] * 2
    assert not (out / "parts").exists()
    again = prmkit("similarity", "show", out, "--draws", "200", "--json")
    assert json.loads(again.out)["table"] == printed["table"]
    assert json.loads(again.out)["random_selection"] == printed["random_selection"]
    attention = json.loads(prmkit("similarity", "show", out, "--kind", "attention", "--layers", "0:1", "--json").out)
    assert attention["table"] != printed["table"]
    assert prmkit("similarity", "show", out, "--layers", "1:1").code == 2
    resumed = prmkit("similarity", *runs, "--reference", backbone, *plain, *options, "--out", out, "--json", "--resume")
    assert json.loads(resumed.out)["table"] == printed["table"]


def test_named_files_of_responses_and_the_engine_of_means(
    prmkit: Callable[..., Answer], backbone: str, tmp_path: Path
) -> None:
    for name in ("math", "code"):
        rows = [{"prompt": f"{name} {number}", "response": ["so", f"{number} {name}"]} for number in range(3)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = tmp_path / "small.yaml"
    recipe.write_text(f"stage: similarity\nreference: {{name: {backbone}}}\n")
    sets = [f"{name}={tmp_path / name}.jsonl" for name in ("math", "code")]
    tables = []
    for engine in ("mean", "layersync"):
        found = prmkit(
            "similarity", recipe, *sets, "--set", f"pattern.engine={engine}", "--out", tmp_path / engine, "--json"
        )
        assert found.code == 0, found.err
        tables.append([row["mean"] for row in json.loads(found.out)["table"]])
    np.testing.assert_allclose(tables[0], tables[1], rtol=1e-5)


def test_trees_in_a_file_are_known_by_their_nodes(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    write_trees(tmp_path / "some.jsonl", [searched(1, "+")])
    answer = prmkit("similarity", f"math={tmp_path / 'some.jsonl'}", "--dry-run", "--json")
    rows = {row["key"]: row["value"] for row in json.loads(answer.out)}
    assert rows["sets.math.trees"] == str(tmp_path / "some.jsonl")
    assert rows["sets.math.file"] is None
    assert rows["pattern.preset"] == "paper"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("math=nowhere.jsonl",), "nowhere.jsonl: no such file"),
        (("similarity/paper",), "sets: no set of responses. Give NAME=FILE"),
        (("similarity/paper", "2=x"), "not a set of responses, got '2=x'; expected NAME=FILE or NAME=RUN"),
        (("nothing",), "nothing: no such recipe"),
        (("show", "nowhere"), "nowhere: not a Gram of patterns"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    prmkit: Callable[..., Answer], arguments: tuple[str, ...], message: str, tmp_path: Path
) -> None:
    answer = prmkit("similarity", *arguments, *([] if arguments[0] == "show" else ["--out", tmp_path / "run"]))
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert len(answer.err.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_the_doctor_says_whether_to_trust_the_numbers(prmkit: Callable[..., Answer], backbone: str) -> None:
    answer = prmkit("similarity", "doctor", backbone, "--json")
    rows = json.loads(answer.out)
    assert (answer.code, len(rows)) == (0, 4)
    assert all(row["verdict"] == "good" and row["found"] < 1e-5 for row in rows)
    help_page = prmkit("similarity", "--help")
    assert all(verb in help_page.out for verb in ("run", "show", "doctor"))


@pytest.mark.slow
@pytest.mark.parametrize("shard", ["layer", "rows"])
def test_two_processes_find_what_one_finds(
    prmkit: Callable[..., Answer], runs: list[str], backbone: str, tmp_path: Path, shard: str
) -> None:
    recipe = tmp_path / "small.yaml"
    recipe.write_text(f"stage: similarity\nreference: {{name: {backbone}}}\npattern: {{shard: {shard}}}\ndraws: 100\n")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    launcher, out = conftest.ROOT / "cli.py", tmp_path / "two"
    command = [sys.executable, str(launcher), "similarity", str(recipe), *runs, "--out", str(out)]
    shared = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    processes = [subprocess.Popen(command, env=shared | {"RANK": str(rank)}) for rank in range(2)]
    assert [process.wait(timeout=200) for process in processes] == [0, 0]
    assert prmkit("similarity", recipe, *runs, "--out", tmp_path / "one").code == 0
    one, two = (PatternGram.load(tmp_path / name / "gram") for name in ("one", "two"))
    np.testing.assert_allclose(two.grams, one.grams, rtol=1e-6)
    assert not (tmp_path / "two" / "parts").exists()
