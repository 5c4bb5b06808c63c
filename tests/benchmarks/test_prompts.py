from importlib.resources import files

import pytest

from prmkit.benchmarks import BENCHMARKS, load
from prmkit.benchmarks.prompts import ask, wording
from prmkit.errors import InputError
from prmkit.recipe.bind import bind
from prmkit.recipe.catalog import find_recipes
from prmkit.recipe.compose import compose
from prmkit.recipe.stages.search import SearchRecipe
from prmkit.tree import Problem

OTHERS = sorted(name for name in BENCHMARKS.builtin if not name.startswith("synthetic"))


@pytest.mark.parametrize("name", OTHERS)
def test_every_benchmark_of_others_has_a_wording_for_both_kinds_and_a_step_format(name: str) -> None:
    texts = wording(name)
    assert {"chat", "base", "step_end"} <= texts.keys()
    assert all(text.count("{prompt}") == 1 for kind, text in texts.items() if kind != "step_end")
    posed = Problem(id="p", prompt="What {prompt} is {stub}?", stub="def f(x):\n")
    for kind in ("chat", "base"):
        assert "What {prompt} is {stub}?" in ask(posed, name, kind).prompt  # a problem's own braces stay


def test_a_function_is_asked_for_with_its_starter_code() -> None:
    script = Problem(id="p", prompt="Q", domain="code")
    function = Problem(id="p", prompt="Q", domain="code", entry_point="f", stub="class Solution:\n    def f(self):\n")
    assert "stdin" in ask(script, "livecodebench", "chat").prompt
    assert "class Solution:\n    def f(self):\n```" in ask(function, "livecodebench", "chat").prompt


def test_a_wording_is_asked_for_by_name() -> None:
    with pytest.raises(InputError, match="no prompt for this benchmark, got 'synthetic-math'"):
        load("synthetic-math", limit=1, prompt="chat")
    with pytest.raises(InputError, match="unknown kind of prompt, got 'poem'"):
        ask(Problem(id="p", prompt="Q"), "gsm8k", "poem")  # type: ignore[arg-type]


def test_the_files_are_package_data() -> None:
    assert {path.name for path in files("prmkit.benchmarks.prompts").iterdir()} >= {f"{name}.yaml" for name in OTHERS}


SEARCHED = {name: path for name, path in find_recipes().items() if name.startswith("search/")}


@pytest.mark.parametrize("name", SEARCHED)
def test_a_search_ends_steps_as_the_prompt_of_its_benchmark_says(name: str) -> None:
    recipe = bind(compose(SEARCHED[name]))
    assert isinstance(recipe, SearchRecipe)
    assert recipe.generator.format.step_end == wording(recipe.problems.benchmark)["step_end"]
