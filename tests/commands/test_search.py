import json
from collections.abc import Callable
from pathlib import Path

import pytest

from prmkit.models.checkpoint import CheckpointMeta, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.packing.format import StepFormat
from prmkit.world import WEIGHTS
from tests.commands.conftest import ROOT, Answer
from tests.tiny import tiny_backbone, tiny_bpe_tokenizer

POLICY = WEIGHTS / "policy"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "small.yaml"
    path.write_text(
        "stage: search\nproblems: {benchmark: synthetic-math, limit: 4}\n"
        f"generator: {{name: {POLICY}, sampling: {{max_tokens: 100}}}}\n"
        "strategy: {name: majority, options: {n: 4}}\n"
    )
    return path


def test_strategies_side_by_side_share_draws_resume_and_are_evaluated_again(
    prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path
) -> None:
    # Without a PRM: majority, and adaptive by the vote alone.
    recipe.write_text(
        recipe.read_text().replace(
            "strategy: {name: majority, options: {n: 4}}",
            "compare:\n  majority: {name: majority, options: {n: 4}}\n  eight: {name: majority, options: {n: 8}}",
        )
    )
    out = tmp_path / "run"
    first = prmkit("search", recipe, "--out", out, "--json")
    assert first.code == 0, first.err
    found = json.loads(first.out)
    assert [row["strategy"] for row in found["strategies"]] == ["majority", "eight"]
    assert [row["generations"] for row in found["strategies"]] == [4.0, 8.0]
    assert found["differences"][0]["pair"] == "majority - eight"
    again = prmkit("search", recipe, "--out", out, "--resume", "--json")
    assert json.loads(again.out)["strategies"] == found["strategies"]
    selected = prmkit("evaluate", "selection", out, "--json")
    assert [row["rule"] for row in json.loads(selected.out)["selection"]] == ["majority", "majority"]
    curves = json.loads(prmkit("evaluate", "anytime", out, "--json").out)["curves"]
    assert [point["generations"] for point in curves["eight"]["points"]] == [1, 2, 4, 8]
    assert curves["eight"]["kind"] == "parts"
    assert [path.name for path in sorted((out / "anytime").iterdir())] == ["metrics.json", "run.yaml"]
    assert prmkit("evaluate", "selection", out).code == 2  # the folder is taken
    both = prmkit("evaluate", out)
    assert both.code == 2
    assert f"several strategies side by side; expected one of them: {out}/eight, {out}/majority" in both.err


def test_one_strategy_takes_the_place_of_the_recipes(prmkit: Callable[..., Answer], recipe: Path) -> None:
    answer = prmkit("search", recipe, "--strategy", "beam", "--dry-run", "--json")
    rows = {row["key"]: row for row in json.loads(answer.out)}
    assert rows["strategy.name"] == {"key": "strategy.name", "value": "beam", "origin": "--strategy"}
    assert rows["strategy.options.n"]["value"] == 4
    assert rows["strategy.options.score"]["value"] == "sum"
    assert rows["strategy.options.score"]["origin"].endswith("recipes/strategies/beam.yaml:2")
    answer = prmkit("search", recipe, "--strategy", "beam,dvts", "--dry-run", "--json")
    rows = {row["key"]: row for row in json.loads(answer.out)}
    assert rows["compare.dvts.options.n"] == {"key": "compare.dvts.options.n", "value": 4, "origin": f"{recipe}:4"}
    assert rows["compare.dvts.options.width"]["origin"].endswith("recipes/strategies/dvts.yaml:2")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--strategy", "beam,beam"), "--strategy: a strategy stands there twice"),
        (("--strategy", "bean"), "unknown strategy, got 'bean'"),
        (("--set", "budget.generations=0"), "illegal budget.generations, got 0; expected greater than 0"),
        (("--set", "budget.seconds=-1"), "illegal budget.seconds, got -1"),
        (("--set", "strategy.options.n=1"), "illegal strategy.options.n, got 1"),
        (("--set", "strategy.options.width=2"), "unknown strategy.options.width, got 2; expected one of n"),
        (("--set", "strategy=null"), "give either strategy or compare"),
    ],
)
def test_bad_options_are_refused_before_a_folder_is_made(
    prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    answer = prmkit("search", recipe, *arguments, "--out", tmp_path / "run")
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert not (tmp_path / "run").exists()


@pytest.mark.realdata
def test_real_problems_are_searched_graded_and_evaluated(
    prmkit: Callable[..., Answer], data_dir: Path, tmp_path: Path, backbone: str, train_recipe: Path
) -> None:
    assert prmkit("train", train_recipe, "--out", tmp_path / "prm").code == 0
    arguments = [
        "search",
        ROOT / "recipes" / "search" / "math500.yaml",
        *("--set", f"problems.path={data_dir}/math500/test500.jsonl", "--set", "problems.limit=5"),
        *("--set", f"generator.name={backbone}", "--set", "generator.dtype=float32"),
        *("--set", "generator.sampling.max_tokens=16", "--set", "strategy.options.n=2"),
        *("--set", f"scorer.checkpoint={tmp_path}/prm/checkpoint", "--out", tmp_path / "run", "--json"),
    ]
    found = prmkit(*arguments)
    assert found.code == 0, found.err
    assert json.loads(found.out)["accuracy"]["n"] == 5
    trees = (tmp_path / "run" / "trees.jsonl").read_bytes()
    resumed = prmkit(*arguments, "--resume")
    assert json.loads(resumed.out)["ledger"]["replayed"] >= 5
    assert (tmp_path / "run" / "trees.jsonl").read_bytes() == trees
    evaluation = prmkit("evaluate", tmp_path / "run", "--json")
    assert json.loads(evaluation.out)["selection"]["pass@2"]["n"] == 5
    assert prmkit("evaluate", tmp_path / "run").code == 2


CODE = {
    "humaneval-plus": "humanevalplus/HumanEvalPlus.jsonl.gz",
    "mbpp-plus": "mbppplus/MbppPlus.jsonl.gz",
    "bigcodebench": "bigcodebench/bigcodebench_hard.json",
}


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize("strategy", ["best-of-n", "beam", "mcts"])
@pytest.mark.parametrize("benchmark", CODE)
def test_the_recipes_of_code_benchmarks_run(
    prmkit: Callable[..., Answer], tmp_path: Path, data_dir: Path, benchmark: str, strategy: str
) -> None:
    """From the recipe to the verdicts, with a random policy of a few thousand parameters, which solves nothing."""
    tokenizer = tiny_bpe_tokenizer()
    policy = tiny_backbone(tmp_path / "policy", tokenizer=tokenizer, context=4096)
    chat = StepFormat(template="chatml", step_end="\n\n")
    prm = PRM.from_backbone(policy, ModelConfig(name=policy, max_length=4096))
    meta = CheckpointMeta(format=chat, label_source="human", max_length=4096)
    save_prm(prm, tokenizer, tmp_path / "prm", meta)
    changes = {
        "generator.name": policy,
        "generator.dtype": "float32",
        "generator.sampling.max_tokens": 40,
        "scorer.checkpoint": tmp_path / "prm",
        "problems.path": data_dir / CODE[benchmark],
        "problems.limit": 2,
    }
    given = [part for key, value in changes.items() for part in ("--set", f"{key}={value}")]
    recipe = f"recipes/search/{benchmark}.yaml"
    answer = prmkit("search", recipe, "--strategy", strategy, "--out", tmp_path / "run", "--json", *given)
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert (found["accuracy"]["value"], found["accuracy"]["n"]) == (0.0, 2)
    assert found["ledger"]["continuations"] >= 8
    assert found["isolation"]


def test_the_first_prompt_is_shown_by_a_dry_run_and_recorded_by_the_run(
    prmkit: Callable[..., Answer], recipe: Path, tmp_path: Path
) -> None:
    rows = {row["key"]: row for row in json.loads(prmkit("search", recipe, "--dry-run", "--json").out)}
    prompt = rows["prompt.generator"]["value"]
    assert prompt.startswith("x = ")
    assert prompt.endswith(" .\n")
    done = prmkit("search", recipe, "--out", tmp_path / "run")
    assert "\nprompt " not in done.out
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["prompt"] == prompt
    elsewhere = prmkit("search", recipe, "--dry-run", "--set", "generator.name=org/not-here", "--json")
    rows = {row["key"]: row for row in json.loads(elsewhere.out)}
    assert rows["prompt.generator"]["value"] == "unknown (org/not-here: the tokenizer is not on this machine)"
