from pathlib import Path

import pytest
import yaml

from prmkit.errors import InputError
from prmkit.recipe.bind import bind
from prmkit.recipe.catalog import find_recipes, recipes_root
from prmkit.recipe.compare import with_strategies
from prmkit.recipe.compose import Composed, compose
from prmkit.search import STRATEGIES

FRAGMENTS = recipes_root() / "strategies"
PLAIN = "stage: search\nproblems: {benchmark: math500}\ngenerator: {name: m}\n"


def said(name: str) -> dict[str, dict[str, object]]:
    """What a fragment holds, read without prmkit."""
    values: dict[str, dict[str, object]] = yaml.safe_load((FRAGMENTS / f"{name}.yaml").read_text(encoding="utf-8"))
    return values


def recipe(folder: Path, text: str, *overrides: str) -> Composed:
    path = folder / "mine.yaml"
    path.write_text(PLAIN + text)
    return compose(path, overrides)


def options(composed: Composed) -> object:
    return composed.values["strategy"]["options"]


@pytest.mark.parametrize("name", sorted(STRATEGIES.builtin))
def test_the_recipe_of_a_benchmark_with_another_strategy_is_that_fragment_in_place_of_its_own(name: str) -> None:
    cell = compose(find_recipes()["search/math500"])
    own = {"stage", "problems", "generator", "scorer"}
    composed = with_strategies(cell, [name])
    assert composed.values == {key: cell.values[key] for key in own} | said(name)
    assert bind(composed).model_dump()["budget"]["generations"] == 16


def test_every_value_says_where_it_stands() -> None:
    composed = with_strategies(compose(find_recipes()["search/math500"], ["budget.seconds=9"]), ["adaptive-best-of-n"])
    fragment = FRAGMENTS / "adaptive-best-of-n.yaml"
    assert composed.values["budget"] == {"generations": 16, "shared": True, "seconds": 9}
    assert composed.origin(("strategy", "name")) == "--strategy"
    assert composed.origin(("strategy", "options", "n")) == f"{fragment}:2"
    assert composed.origin(("budget", "shared")) == f"{fragment}:3"
    assert composed.origin(("budget", "seconds")) == "--set"
    assert composed.path == find_recipes()["search/math500"]


def test_what_set_says_wins_over_the_fragment() -> None:
    changes = ["strategy.options.n=32", "budget.generations=32"]
    composed = with_strategies(compose(find_recipes()["search/math500"], changes), ["beam"])
    assert options(composed) == {"n": 32, "width": 4, "score": "sum"}
    assert composed.values["budget"] == {"generations": 32}


def test_a_recipe_that_writes_its_strategy_out_keeps_its_options_and_its_budget_even_if_it_has_none(
    tmp_path: Path,
) -> None:
    unlimited = recipe(tmp_path, "strategy: {name: best-of-n, options: {n: 64}}\n")
    composed = with_strategies(unlimited, ["beam"])
    assert options(composed) == {"n": 64, "width": 4, "score": "sum"}
    assert composed.origin(("strategy", "options", "n")) == f"{tmp_path}/mine.yaml:4"
    assert "budget" not in composed.values  # 16 generations would end a beam of 64
    shared = recipe(tmp_path, "strategy: {name: beam, options: {n: 8, width: 2}}\nbudget: {flops: 1e15}\n")
    composed = with_strategies(shared, ["majority"])
    assert options(composed) == {"n": 8}  # a vote has no width
    assert composed.values["budget"] == {"flops": 1e15}


def test_a_recipe_without_a_strategy_takes_the_fragment_and_keeps_its_own_limits(tmp_path: Path) -> None:
    composed = with_strategies(recipe(tmp_path, "budget: {generations: 8}\n"), ["adaptive-best-of-n"])
    assert options(composed) == {"n": 64}
    assert composed.values["budget"] == {"generations": 8, "shared": True}


def test_only_what_came_with_the_strategys_fragment_goes_with_it(tmp_path: Path) -> None:
    (tmp_path / "limit.yaml").write_text("budget: {seconds: 60}\n")
    (tmp_path / "strategy.yaml").write_text(
        "strategy: {name: best-of-n, options: {n: 64}}\nbudget: {generations: 64}\n"
    )
    composed = with_strategies(recipe(tmp_path, "extends: [limit.yaml, strategy.yaml]\n"), ["dvts"])
    assert options(composed) == {"n": 16, "width": 4}
    assert composed.values["budget"] == {"generations": 16, "seconds": 60}


def test_a_strategy_that_the_recipe_names_is_as_it_stands_there(tmp_path: Path) -> None:
    cell = compose(find_recipes()["search/math500"])
    assert with_strategies(cell, ["best-of-n"]).values == cell.values
    text = (
        "compare: {slow: {name: beam, options: {n: 64}}, mcts: {name: mcts, options: {n: 9}}}\nbudget: {seconds: 3}\n"
    )
    named = with_strategies(recipe(tmp_path, text), ["slow"])
    assert named.values["strategy"] == {"name": "beam", "options": {"n": 64}}
    assert named.origin(("strategy", "options", "n")) == f"{tmp_path}/mine.yaml:4"
    assert (named.values["budget"], "compare" in named.values) == ({"seconds": 3}, False)


def test_several_have_their_own_options_and_the_recipes_budget() -> None:
    composed = with_strategies(compose(find_recipes()["search/math500"]), ["adaptive-best-of-n", "mcts", "best-of-n"])
    names = ("adaptive-best-of-n", "mcts", "best-of-n")
    assert composed.values["compare"] == {name: said(name)["strategy"] for name in names}
    assert list(composed.values["compare"]) == list(names)
    assert composed.values["budget"] == said("best-of-n")["budget"]  # the others' share theirs, or not
    assert "strategy" not in composed.values
    assert composed.origin(("compare", "mcts", "options", "parallel")) == f"{FRAGMENTS / 'mcts.yaml'}:2"


def test_a_vote_alone_loads_no_prm_and_beside_others_leaves_them_theirs(tmp_path: Path) -> None:
    text = "scorer: {checkpoint: c}\nstrategy: {name: best-of-n, options: {n: 8}}\n"
    alone = with_strategies(recipe(tmp_path, text, "scorer.memory=0.9"), ["majority"])
    assert bind(alone).model_dump()["scorer"] is None
    assert (options(alone), "budget" in alone.values) == ({"n": 8}, False)
    both = with_strategies(recipe(tmp_path, text), ["majority", "beam"])
    assert both.values["scorer"] == {"checkpoint": "c"}


def test_somebodys_own_strategy_has_no_fragment_and_takes_what_the_recipe_says() -> None:
    own = "prmkit.search.beam:beam"
    composed = with_strategies(compose(find_recipes()["search/math500"]), [own])
    assert composed.values["strategy"] == {"name": own, "options": {"n": 16}}
    assert composed.values["budget"] == {"generations": 16}


@pytest.mark.parametrize(
    ("names", "change", "message"),
    [
        (["beam", "beam"], "seed=1", "--strategy: a strategy stands there twice, got 'beam,beam'"),
        (["bean"], "seed=1", r"unknown strategy, got 'bean'; .* Did you mean beam\?"),
        (
            ["majority", "best-of-n"],
            "strategy.options.width=2",
            "--set strategy.options.width: no strategy takes the option, got 2; expected one that majority or ",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, names: list[str], change: str, message: str) -> None:
    written = recipe(tmp_path, "strategy: {name: greedy, options: {n: 4}}\n", change)
    with pytest.raises(InputError, match=message):
        with_strategies(written, names)


def test_a_strategy_that_is_no_mapping_gives_no_options(tmp_path: Path) -> None:
    composed = with_strategies(recipe(tmp_path, "strategy: beam\n"), ["dvts"])
    assert options(composed) == {"n": 16, "width": 4}
