"""Whatever lies in recipes/ is looked at; by hand, nothing is named here but what the paper trains and searches."""

from itertools import combinations, product
from pathlib import Path

import pytest

from prmkit.benchmarks import BENCHMARKS
from prmkit.benchmarks.prompts import wording
from prmkit.recipe.bind import bind
from prmkit.recipe.catalog import FRAGMENT_FOLDERS, find_recipes, recipes_root
from prmkit.recipe.compare import with_strategies
from prmkit.recipe.compose import compose, leaves
from prmkit.recipe.stages.evaluate_steps import EvaluateStepsRecipe
from prmkit.recipe.stages.search import SearchRecipe
from prmkit.recipe.stages.train import TrainRecipe
from prmkit.search import STRATEGIES
from prmkit.search.options import bind_strategy
from prmkit.study.axes import plan_of
from prmkit.study.grid import grid_of
from prmkit.study.scale import at_scale
from prmkit.yaml_io import read_yaml

CELLS = find_recipes()
SIZES = ("0.5b", "1.5b", "3b", "7b", "14b", "32b", "72b")
DATASETS = ("prm800k", "math-shepherd", "aslaf", "code")
SEARCHED = [name for name in BENCHMARKS.builtin if f"search/{name}" in CELLS]
NOT_SEARCHED = {
    "math": "the PRM of the math cells learns from PRM800K, which labels all of its test problems but math500",
    "prm800k": "its test split is math500",
    "synthetic-code": "generated; synthetic/search-code searches it with the policy of the embedded world",
    "synthetic-math": "generated; synthetic/search-math searches it with the policy of the embedded world",
    "trees": "whatever a file of trees holds",
}


@pytest.mark.parametrize("name", CELLS)
def test_a_cell_binds_is_short_and_says_what_runs_it(name: str) -> None:
    path = CELLS[name]
    lines = path.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= (90 if name.startswith("paper/") else 12)
    assert lines[0].startswith("# ")
    assert f"recipes/{name}.yaml" in lines[0]
    recipe = bind(compose(path))
    if isinstance(recipe, SearchRecipe):
        for strategy in (recipe.strategy, *recipe.compare.values()):
            assert strategy is None or bind_strategy(strategy)


def test_a_benchmark_has_a_search_or_a_reason_why_it_has_none() -> None:
    assert sorted([*SEARCHED, *NOT_SEARCHED]) == sorted(BENCHMARKS.builtin)


@pytest.mark.parametrize("name", SEARCHED)
def test_a_benchmark_is_searched_by_every_strategy_at_16_generations(name: str) -> None:
    cell = compose(CELLS[f"search/{name}"])
    for strategy in STRATEGIES.builtin:
        recipe = bind(with_strategies(cell, [strategy]))
        assert isinstance(recipe, SearchRecipe)
        assert (recipe.problems.benchmark, recipe.strategy and recipe.strategy.name) == (name, strategy)
        assert recipe.budget.generations == 16
        assert recipe.strategy is not None
        assert bind_strategy(recipe.strategy)


@pytest.mark.parametrize("split", ["gsm8k", "math", "olympiadbench", "omnimath"])
def test_every_split_of_processbench_has_its_evaluation(split: str) -> None:
    recipe = bind(compose(CELLS[f"evaluate/processbench-{split}"]))
    assert isinstance(recipe, EvaluateStepsRecipe)
    assert (recipe.corpus.source, recipe.corpus.path) == ("processbench", f"hub:Qwen/ProcessBench:{split}")


def searches_of_table_1() -> dict[tuple[str, str, str], SearchRecipe]:
    """By generator, benchmark, and what chooses the answer."""
    plan = plan_of(*at_scale(compose(CELLS["paper/table1"]), "paper"))
    grid = grid_of(plan, Path("out"))
    found = {}
    for point in plan.points(["generator", "bench", "corpus", "alone"]):
        for run, chooser in (("search", f"PRM-{point['corpus']}"), ("without", str(point["alone"]))):
            recipe = grid.cell(run, point).recipe
            assert isinstance(recipe, SearchRecipe)
            found[str(point["generator"]), str(point["bench"]), chooser] = recipe
    return found


def test_table_1_draws_as_many_as_the_paper_from_its_generators_and_nothing_limits_them() -> None:
    searches = searches_of_table_1()
    assert len(searches) == 3 * 4 * 4
    generators = {
        "coder-7b": ("Qwen/Qwen2.5-Coder-7B-Instruct", 4096, 8),
        "coder-32b": ("Qwen/Qwen2.5-Coder-32B-Instruct", 4096, 8),
        "qwq-32b": ("Qwen/QwQ-32B-Preview", 16384, 4),
    }
    for (generator, benchmark, chooser), recipe in searches.items():
        name, tokens, drawn = generators[generator]
        assert (recipe.generator.name, recipe.generator.sampling.max_tokens) == (name, tokens)
        assert (recipe.generator.format.template, recipe.generator.sampling.temperature) == ("chatml", 0.7)
        assert (recipe.problems.benchmark, recipe.problems.options["prompt"]) == (benchmark, "chat")
        assert recipe.strategy is not None
        assert recipe.strategy.name == ("majority" if chooser == "majority" else "best-of-n")
        assert recipe.strategy.options == {"n": 1 if chooser == "one" else drawn}
        assert recipe.budget.limits() == {}
        assert (recipe.scorer is not None) == chooser.startswith("PRM")


def test_table_1_has_a_prm_of_each_domain_from_72b() -> None:
    plan = plan_of(*at_scale(compose(CELLS["paper/table1"]), "paper"))
    grid = grid_of(plan, Path("out"))
    for corpus, kind in (("math", "aslaf-72b"), ("code", "code-72b")):
        point = {"generator": "qwq-32b", "bench": "mbpp-plus", "corpus": corpus}
        (trained,) = grid.cell("search", point).after
        assert grid.cells[trained].kind == kind
        assert grid.cell("search", point).recipe.scorer.checkpoint == f"out/cells/{trained}/checkpoint"  # type: ignore[union-attr]


def test_the_grid_of_the_paper_is_complete() -> None:
    trained = {name for name in CELLS if name.split("/")[0] in DATASETS}
    assert trained == {f"{dataset}/{size}" for dataset, size in product(DATASETS, SIZES)}
    assert len(trained) == 28


@pytest.mark.parametrize(("dataset", "size"), list(product(DATASETS, SIZES)))
def test_a_cell_of_the_grid_trains_its_size_on_its_corpus(dataset: str, size: str) -> None:
    recipe = bind(compose(CELLS[f"{dataset}/{size}"]))
    assert isinstance(recipe, TrainRecipe)
    assert recipe.model.name == f"Qwen/Qwen2.5-{size.upper()}-Instruct"
    assert recipe.data == bind_data(dataset)


def bind_data(dataset: str) -> object:
    smallest = bind(compose(CELLS[f"{dataset}/{SIZES[0]}"]))
    assert isinstance(smallest, TrainRecipe)
    own = read_yaml(recipes_root() / "datasets" / f"{dataset}.yaml").values["data"]
    assert smallest.data.path == own["path"]
    return smallest.data


def keys_of(fragment: Path) -> set[tuple[str, ...]]:
    return {keys for keys, _ in leaves(read_yaml(fragment).values)}


def test_fragments_of_different_kinds_own_disjoint_keys() -> None:
    root = recipes_root()
    kinds = [[root / "base.yaml"], *(sorted((root / folder).glob("*.yaml")) for folder in FRAGMENT_FOLDERS)]
    assert all(kinds)
    for one, other in combinations(kinds, 2):
        for left, right in product(one, other):
            assert not keys_of(left) & keys_of(right), f"{left} and {right}"


def test_a_fragment_is_extended_by_a_cell_or_taken_by_its_strategys_name() -> None:
    root = recipes_root()
    extended = {
        (path.parent / name).resolve() for path in CELLS.values() for name in read_yaml(path).values.get("extends", [])
    }
    taken = {(root / "strategies" / f"{name}.yaml").resolve() for name in STRATEGIES.builtin}
    fragments = {path.resolve() for folder in FRAGMENT_FOLDERS for path in (root / folder).glob("*.yaml")}
    assert taken <= fragments
    assert fragments <= extended | taken


def test_no_fragment_states_a_default() -> None:
    """Defaults live in the configs: a fragment that repeats one goes stale when the config changes."""
    root = recipes_root()
    defaults = {
        (stage, name): field.default
        for stage in ("model", "train")
        for name, field in TrainRecipe.model_fields[stage].annotation.model_fields.items()  # type: ignore[union-attr]
    }
    for fragment in root.glob("**/*.yaml"):
        if fragment.relative_to(root).parts[0] in (*FRAGMENT_FOLDERS, *DATASETS, "base.yaml"):
            for keys, value in leaves(read_yaml(fragment).values):
                assert keys not in defaults or defaults[keys] != value, f"{fragment}: {keys}"


def test_every_optimiser_step_of_the_grid_sees_the_same_number_of_tokens() -> None:
    """32 sequences of 2,048: devices of the first comment line x batch_size x accumulate."""
    for name, path in CELLS.items():
        if name.split("/")[0] in DATASETS:
            devices = int(path.read_text(encoding="utf-8").split(": ", 1)[1].split(" x ")[0])
            recipe = bind(compose(path))
            assert isinstance(recipe, TrainRecipe)
            assert devices * recipe.train.batch_size * recipe.train.accumulate == 32, name
            assert recipe.train.pack_tokens == 2048


SEARCHES = {name: path for name, path in CELLS.items() if name.startswith("search/")}


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_ends_steps_as_the_prompt_of_its_benchmark_says(name: str) -> None:
    recipe = bind(compose(SEARCHES[name]))
    assert isinstance(recipe, SearchRecipe)
    assert recipe.generator.format.step_end == wording(recipe.problems.benchmark)["step_end"]


GENERATORS = sorted(recipes_root().glob("generators/*.yaml"))
THINKS = {"qwen3-8b", "deepseek-r1-distill-qwen-7b", "gpt-oss-20b"}
FIXED = {"coder-7b": "chatml", "math-7b": "qwen-math", "instruct-1.5b": "qwen-math"}


@pytest.mark.parametrize("fragment", GENERATORS, ids=lambda path: path.stem)
def test_a_generator_may_stand_in_any_search(fragment: Path, tmp_path: Path) -> None:
    problems = "problems: {benchmark: math500, options: {prompt: chat}}"
    cell = f"extends: [{fragment}]\nstage: search\n{problems}\nstrategy: {{name: majority, options: {{n: 2}}}}\n"
    (tmp_path / "cell.yaml").write_text(cell)
    recipe = bind(compose(tmp_path / "cell.yaml"))
    assert isinstance(recipe, SearchRecipe)
    policy = recipe.generator
    assert policy.format.template == FIXED.get(fragment.stem)  # None: the model's own chat template
    assert policy.format.step_end == wording("math500")["step_end"]
    # Who thinks needs room for it, and a sampling under which a thought does not run in circles.
    assert (policy.sampling.max_tokens >= 16384) == (fragment.stem in THINKS | {"qwq-32b-preview"})
    assert fragment.stem not in THINKS or policy.sampling.temperature >= 0.6


@pytest.mark.parametrize("name", SEARCHES)
def test_a_search_asks_for_a_boxed_answer_or_for_a_program(name: str) -> None:
    """Only the fixed template of Qwen2.5-Math asks for itself; under others the wording of the benchmark has to."""
    recipe = bind(compose(SEARCHES[name]))
    assert isinstance(recipe, SearchRecipe)
    asks = recipe.problems.options.get("prompt") == "chat"
    assert asks == (recipe.generator.format.template != "qwen-math")
