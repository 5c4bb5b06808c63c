import json
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.generate import GeneratorConfig
from prmkit.generate.config import ChatEngine
from prmkit.generate.format import PolicyFormat
from prmkit.grade.config import GradingConfig
from prmkit.recipe.parts import DataConfig, GradingChoice, ProblemsConfig, first_prompt
from prmkit.world import WEIGHTS


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({}, GradingConfig(grader="qwen", vote="text")),
        ({"grader": "prm800k"}, GradingConfig(grader="prm800k", vote="text")),
        ({"vote": "behaviour", "unsafe_local": True}, GradingConfig(grader="qwen", unsafe_local=True)),
    ],
)
def test_an_evaluation_judges_as_the_search_did_but_for_what_it_says(
    said: dict[str, object], expected: GradingConfig
) -> None:
    assert GradingChoice(**said).over(GradingConfig(grader="qwen", vote="text")) == expected


def test_a_corpus_is_read_as_its_config_says(tmp_path: Path) -> None:
    rows = [{"prompt": f"{number}?", "completions": ["a", "b"], "labels": [True, False]} for number in range(3)]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    corpus = DataConfig(source="trl", path=str(tmp_path / "c.jsonl"), limit=2, stop_at_first_error=True).corpus()
    assert [tree.problem.prompt for tree in corpus] == ["0?", "1?"]
    assert (corpus.record().source, corpus.record().kept, corpus.record().nodes) == ("trl", 2, 4)
    with pytest.raises(InputError, match=r"unknown source, got 'trll'.*Did you mean trl\?"):
        DataConfig(source="trll", path="x").corpus()


def test_problems_are_loaded_with_their_options() -> None:
    one, other = (ProblemsConfig(benchmark="synthetic-math", limit=2, seed=seed).load() for seed in (1, 2))
    assert [len(one), len(other)] == [2, 2]
    assert one[0].prompt != other[0].prompt
    (trained,) = ProblemsConfig(benchmark="synthetic-math", limit=1, options={"split": "train"}).load()
    assert "/train/" in trained.id
    with pytest.raises(InputError, match="unknown benchmark"):
        ProblemsConfig(benchmark="math50").load()


def test_the_first_prompt_of_a_chat_is_its_turns_and_asks_no_server() -> None:
    engine = ChatEngine(name="chat", url="http://nowhere.invalid")
    policy = GeneratorConfig(name="m", engine=engine, format=PolicyFormat(system="Be brief."))
    assert first_prompt(policy) == "system: Be brief.\n\nuser: {problem}"


def test_the_first_prompt_needs_no_download() -> None:
    policy = GeneratorConfig(name=str(WEIGHTS / "policy"))
    generated = ProblemsConfig(benchmark="synthetic-math", seed=3)
    assert first_prompt(policy, [generated]) == generated.model_copy(update={"limit": 1}).load()[0].prompt + "\n"
    assert first_prompt(policy, [ProblemsConfig(benchmark="math500")]) == "{problem}\n"
    with pytest.raises(InputError, match="org/model: the tokenizer is not on this machine"):
        first_prompt(GeneratorConfig(name="org/model"))
