import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from prmkit.errors import InputError
from prmkit.recipe.execute import execute, prepare
from prmkit.recipe.stage import Resources
from prmkit.recipe.stages.similarity import STAGE, ResponsesConfig
from prmkit.similarity.result import SimilarityResult
from tests.recipe.stages.bound import bound


def responses(path: Path, *texts: str) -> Path:
    rows = [{"prompt": f"{number}?", "response": text} for number, text in enumerate(texts)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_sets_of_a_file_become_table_2_and_a_second_look_reads_the_gram(tmp_path: Path, backbone: str) -> None:
    one = responses(tmp_path / "one.jsonl", "1+1", "2+2")
    other = responses(tmp_path / "other.jsonl", "3-1", "4-2")
    sets = f"sets={{one: {{file: {one}}}, other: {{file: {other}}}}}"
    recipe = bound("similarity/paper", sets, f"reference.name={backbone}", "reference.dtype=float32", "draws=10")
    folder, result = execute(recipe, tmp_path / "run")
    assert isinstance(result, SimilarityResult)
    assert result.responses == {"one": 2, "other": 2}
    assert [(row.first, row.second, row.pairs) for row in result.table] == [
        ("one", "one", 2),  # each pair both ways
        ("one", "other", 4),
        ("other", "other", 2),
    ]
    assert all(0.0 <= row.mean <= 1.0 for row in result.table)
    again = execute(recipe, folder.path, resume=True)[1]
    assert isinstance(again, SimilarityResult)
    assert again.table == result.table


def test_a_set_comes_from_trees_or_from_a_file() -> None:
    with pytest.raises(ValidationError, match="give trees or file, one of them"):
        ResponsesConfig(trees="a", file="b")
    assert ResponsesConfig(file="b").path == "b"


def test_no_set_or_a_missing_file_is_refused_before_the_model_is_loaded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sets: no set of responses"):
        prepare(bound("similarity/paper", "reference.name=/nowhere", "sets={}"))
    gone = f"sets={{a: {{trees: {tmp_path}/gone.jsonl}}}}"
    with pytest.raises(InputError, match=r"gone\.jsonl: no such file"):
        prepare(bound("similarity/paper", "reference.name=/nowhere", gone))


def test_a_missing_model_or_a_bad_response_is_refused_in_preparation(tmp_path: Path, backbone: str) -> None:
    one = responses(tmp_path / "one.jsonl", "1+1", "2+2")
    with pytest.raises(InputError, match="/nowhere"):
        prepare(bound("similarity/paper", "reference.name=/nowhere", f"sets={{a: {{file: {one}}}}}"))
    one.write_text('{"prompt": "p"}\n')
    with pytest.raises(InputError, match=r"one\.jsonl:1: "):
        prepare(bound("similarity/paper", f"reference.name={backbone}", f"sets={{a: {{file: {one}}}}}"))


def test_a_reference_may_be_asked_by_a_chat_template(tmp_path: Path, backbone: str) -> None:
    one = responses(tmp_path / "one.jsonl", "1+1", "2+2")
    keys = (f"sets={{a: {{file: {one}}}}}", f"reference.name={backbone}", "reference.dtype=float32", "draws=10")
    with pytest.raises(InputError, match="the model has no chat template"):
        prepare(bound("similarity/paper", *keys, "reference.format={template: chat}"))
    file = tmp_path / "t.jinja"
    file.write_text("{% for turn in messages %}So {{ turn.content }} is {% endfor %}")
    asked = bound("similarity/paper", *keys, f"reference.format={{template: chat, template_file: {file}}}")
    folder, result = execute(asked, tmp_path / "run")
    assert isinstance(result, SimilarityResult)
    assert result.responses == {"a": 2}
    assert set(folder.read_record()["inputs"]) == {str(one), str(file)}


def test_inputs_and_cost() -> None:
    recipe = bound("synthetic/similarity")
    assert STAGE.cost(recipe, Resources()) == "a forward and backward pass for each response of 4 sets"
    assert next(iter(STAGE.inputs(recipe))) == "runs/demo/search-math/trees.jsonl"
