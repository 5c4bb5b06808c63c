from pathlib import Path
from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, model_validator

from prmkit.errors import InputErrors
from prmkit.recipe import bind as module
from prmkit.recipe.bind import bind, bind_stage, describe, json_schema
from prmkit.recipe.compose import Composed, compose
from prmkit.recipe.stages.train import TrainRecipe

GOOD = "stage: train\ndata: {source: trees, path: a.jsonl}\nmodel: {name: m}\n"


def composed_of(tmp_path: Path, text: str, overrides: list[str] | None = None) -> Composed:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    return compose(path, overrides or [])


def errors_of(composed: Composed) -> list[str]:
    with pytest.raises(InputErrors) as caught:
        bind(composed)
    return [str(error).removeprefix(f"{composed.path}:") for error in caught.value.errors]


def test_a_recipe_binds_to_the_configs_of_its_stages(tmp_path: Path) -> None:
    recipe = bind(composed_of(tmp_path, GOOD, ["train.lr=2e-5"]))
    assert isinstance(recipe, TrainRecipe)
    assert (recipe.train.lr, recipe.model.name, recipe.data.limit) == (2e-5, "m", None)


def test_all_errors_come_at_once_with_place_and_nearest_word(tmp_path: Path) -> None:
    text = "stage: train\ndata: {source: a, path: b, limt: 3}\nmodel:\n  name: m\n  dtype: bfloat\nlr: 1\n"
    errors = errors_of(composed_of(tmp_path, text, ["train.epochs=0", "train.devices=-1"]))
    assert sorted(errors) == [
        "--set: illegal train.devices, got -1; expected greater than 0 or 'auto'",
        "--set: illegal train.epochs, got 0; expected greater than or equal to 1",
        "2: unknown key data.limt; expected one of source, path, options, limit, max_bad, "
        "stop_at_first_error, min_steps. Did you mean data.limit?",
        "5: illegal model.dtype, got 'bfloat'; expected 'float32' or 'bfloat16'. Did you mean bfloat16?",
        "6: unknown key lr; expected one of stage, seed, data, model, train. Did you mean train.lr?",
    ]


def test_a_key_known_by_another_word_is_found_by_its_meaning(tmp_path: Path) -> None:
    (error,) = errors_of(composed_of(tmp_path, GOOD + "train: {learning_rate: 1e-5}\n"))
    assert error.startswith("4: unknown key train.learning_rate; expected one of epochs, ")
    assert error.endswith("Did you mean train.lr?")


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("stage: train\nmodel: {name: m}\n", "missing key data; expected the labelled trees"),
        (
            GOOD.replace("name: m", "dtype: float32"),
            "3: missing key model.name; expected folder or org/name",
        ),
        # A misspelt required key is one mistake, not two.
        (GOOD.replace("name: m", "nme: m"), "3: unknown key model.nme; expected one of name, format"),
        (GOOD.replace("{name: m}", "m"), "3: illegal model, got 'm'; expected a mapping of keys"),
        (GOOD + "seed: x\n", "4: illegal seed, got 'x'; expected a valid integer"),
        (GOOD.replace("train\n", "trian\n", 1), "1: unknown stage, got 'trian'; expected one of"),
        ("seed: 1\n", "unknown stage, got None; expected one of"),
    ],
)
def test_each_kind_of_mistake_is_one_line_in_plain_words(tmp_path: Path, text: str, error: str) -> None:
    (found,) = errors_of(composed_of(tmp_path, text))
    assert error in found
    assert "pydantic" not in found


def test_a_recipe_of_another_verb_is_refused_with_the_verb_to_use(tmp_path: Path) -> None:
    with pytest.raises(
        InputErrors, match=r"r.yaml:1: .*got 'evaluate-steps'; expected train. Run it with `prmkit eval"
    ):
        bind_stage(composed_of(tmp_path, "stage: evaluate-steps\n"), "train")


class Beam(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["beam"]
    width: int


class Best(BaseModel):
    model_config = ConfigDict(extra="forbid")
    kind: Literal["best-of-n"]
    n: int

    @model_validator(mode="after")
    def _check(self) -> "Best":
        if self.n % 2:
            raise ValueError("n must be even")
        return self


class Nested(BaseModel):
    """Lists, and a union told apart by a key, as recipes of search have them."""

    model_config = ConfigDict(extra="forbid")
    stage: Literal["nested"]
    runs: list[Annotated[Beam | Best, Field(discriminator="kind")]]


def test_errors_in_lists_and_unions_have_the_line_of_their_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "recipe_model", lambda stage, where: Nested)
    text = "stage: nested\nruns:\n- {kind: beam, widt: 3}\n- kind: best-of-n\n  n: 3\n- {kind: best-of-n, n: two}\n"
    first, second, third = errors_of(composed_of(tmp_path, text))
    assert first.startswith("3: unknown key runs.0.widt; expected one of kind, width")
    assert second == "4: illegal runs.1 (n must be even)"
    assert third == "6: illegal runs.2.n, got 'two'; expected a valid integer"


def test_the_description_of_a_recipe_names_every_value_and_its_origin(tmp_path: Path) -> None:
    composed = composed_of(tmp_path, GOOD, ["train.lr=2e-5"])
    recipe = bind(composed)
    rows = {row.key: row[1:] for row in describe(composed, recipe)}
    assert rows["model.name"] == ("m", f"{composed.path}:3")
    assert rows["train.lr"] == (2e-5, "--set")
    assert rows["train.schedule"] == ("cosine", "default")
    assert rows["data.options"] == ({}, "default")
    fields = TrainRecipe.model_fields["train"].annotation.model_fields  # type: ignore[union-attr]
    assert {f"train.{name}" for name in fields} <= set(rows)


def test_the_json_schema_forbids_unknown_keys_and_tells_meanings() -> None:
    schema = json_schema("train")
    assert schema["additionalProperties"] is False
    assert schema["$defs"]["TrainConfig"]["properties"]["lr"]["description"] == "peak learning rate of AdamW"
