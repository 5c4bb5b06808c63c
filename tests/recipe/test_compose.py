from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError, InputErrors
from prmkit.recipe.compose import compose, leaves

BASE = "stage: train\ntrain: {epochs: 2, precision: bf16-mixed}\n"
MODEL = "model: {name: m}\ntrain:\n  lr: 3e-4\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, **{"base.yaml": BASE, "model.yaml": MODEL, "cell.yaml": "extends: [base.yaml, model.yaml]\n"})
    return tmp_path


def write(folder: Path, **files: str) -> None:
    for name, text in files.items():
        (folder / name).write_text(text)


def test_fragments_merge_deeply_and_every_leaf_knows_its_line(folder: Path) -> None:
    write(folder, **{"cell.yaml": "# 8 x 80 GB\nextends: [base.yaml, model.yaml]\ntrain: {epochs: 5}\n"})
    composed = compose(folder / "cell.yaml")
    assert composed.values == {
        "stage": "train",
        "model": {"name": "m"},
        "train": {"epochs": 5, "precision": "bf16-mixed", "lr": 0.0003},
    }
    assert {".".join(keys): composed.origin(keys) for keys, _ in leaves(composed.values)} == {
        "stage": f"{folder}/base.yaml:1",
        "model.name": f"{folder}/model.yaml:1",
        "train.epochs": f"{folder}/cell.yaml:3",
        "train.precision": f"{folder}/base.yaml:2",
        "train.lr": f"{folder}/model.yaml:3",
    }


def test_the_order_of_fragments_means_nothing(folder: Path) -> None:
    one = compose(folder / "cell.yaml")
    write(folder, **{"cell.yaml": "extends: [model.yaml, base.yaml]\n"})
    other = compose(folder / "cell.yaml")
    assert one.values == other.values
    assert all(one.origin(keys) == other.origin(keys) for keys, _ in leaves(one.values))


@pytest.mark.parametrize("text", ["3e-4", "3E-4", "0.3e-3", "+3e-4", ".3e-3", "0.0003"])
def test_every_spelling_of_a_float_is_a_float(folder: Path, text: str) -> None:
    assert compose(folder / "cell.yaml", [f"train.lr={text}"]).values["train"]["lr"] == 0.0003


def test_the_float_rule_leaves_pyyaml_as_it_is() -> None:
    assert yaml.safe_load("3e-4") == "3e-4"


def test_overrides_are_yaml_and_win(folder: Path) -> None:
    composed = compose(folder / "cell.yaml", ["train.epochs=7", "data.options.tags=[a, 1]", "data.path=a=b"])
    assert composed.values["train"] == {"epochs": 7, "precision": "bf16-mixed", "lr": 0.0003}
    assert composed.values["data"] == {"options": {"tags": ["a", 1]}, "path": "a=b"}
    assert composed.origin(("train", "epochs")) == "--set"
    assert composed.origin(("train", "lr")) == f"{folder}/model.yaml:3"


def test_a_list_is_replaced_and_a_mapping_over_a_value_too(folder: Path) -> None:
    write(folder, **{"cell.yaml": "a: [1, 2]\nb: 3\nc: {d: 4}\n"})
    composed = compose(folder / "cell.yaml", ["a=[9]", "b.x=1", "c=0"])
    assert composed.values == {"a": [9], "b": {"x": 1}, "c": 0}
    assert ("c", "d") not in composed.origins


def test_an_item_of_a_list_has_its_own_line(folder: Path) -> None:
    write(folder, **{"cell.yaml": "problems:\n  - {name: a}\n  - name: b\n    limit: 3\n"})
    assert compose(folder / "cell.yaml").origin(("problems", "1", "limit")).endswith("cell.yaml:4")


def test_a_run_yaml_replays_its_recipe(folder: Path) -> None:
    write(folder, **{"run.yaml": "recipe:\n  stage: train\n  train: {lr: 2.0e-05}\nseed: 1\nversions: {prmkit: '0'}\n"})
    composed = compose(folder / "run.yaml")
    assert composed.values == {"stage": "train", "train": {"lr": 2e-5}}
    assert composed.origin(("train", "lr")) == f"{folder}/run.yaml:3"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"model.yaml": "extends: base.yaml\n"}, "model.yaml:1: a fragment extends others; expected only a cell"),
        ({"model.yaml": "train: {lr: 1, epochs: 3}\n"}, "model.yaml:1: two fragments set train.epochs; expected one"),
        ({"model.yaml": "train: 3\n"}, "model.yaml:1: two fragments set train; expected one owner, and"),
        ({"cell.yaml": "a: 1\nextends: [no.yaml]\n"}, "cell.yaml:2: the recipe extends a missing file"),
        ({"cell.yaml": "extends: {a: 1}\n"}, "cell.yaml:1: illegal extends, got {'a': 1}; expected a list of files"),
        ({"cell.yaml": "a: 1\nb:\n  c: 1\n  c: 2\n"}, "cell.yaml:4: bad YAML (key 'c' stands twice)"),
        ({"cell.yaml": "a: &x 1\nb: *x\n"}, "cell.yaml:2: bad YAML (aliases are not used here)"),
        ({"cell.yaml": "a: 1\n\tb: 2\n"}, "cell.yaml:2: bad YAML (found character"),
        ({"cell.yaml": ""}, "cell.yaml:1: the file holds no keys"),
        ({"cell.yaml": "- a\n"}, "cell.yaml:1: the file holds no keys, got ['a']"),
        ({"cell.yaml": "1: a\n"}, "cell.yaml:1: bad YAML (a key is not text)"),
    ],
)
def test_a_faulty_file_is_named_with_its_line(folder: Path, files: dict[str, str], message: str) -> None:
    write(folder, **files)
    with pytest.raises(InputError) as caught:
        compose(folder / "cell.yaml")
    assert message in str(caught.value)


def test_all_faulty_overrides_are_reported_at_once(folder: Path) -> None:
    with pytest.raises(InputErrors) as caught:
        compose(folder / "cell.yaml", ["x", "a..b=1", "train.lr=[1"])
    first, second, third = map(str, caught.value.errors)
    assert first == "--set: illegal override, got 'x'; expected key.path=value"
    assert second == "--set: illegal override, got 'a..b=1'; expected key.path=value"
    assert third.startswith("--set train.lr:1: bad YAML")


KEYS = st.text("abc", min_size=1, max_size=2)
MAPPINGS = st.recursive(
    st.dictionaries(KEYS, st.integers() | st.lists(st.integers(), max_size=2), max_size=3),
    lambda inner: st.dictionaries(KEYS, inner | st.integers(), max_size=3),
    max_leaves=6,
)


@given(MAPPINGS, MAPPINGS)
def test_merging_equals_its_definition_and_leaves_no_orphan_origin(
    tmp_path_factory: pytest.TempPathFactory, below: dict[str, Any], above: dict[str, Any]
) -> None:
    def merge(low: Any, high: Any) -> Any:
        if isinstance(low, dict) and isinstance(high, dict):
            return {
                key: merge(low[key], high[key]) if key in low and key in high else (low | high)[key]
                for key in low | high
            }
        return high

    folder = tmp_path_factory.mktemp("merge")
    (folder / "below.yaml").write_text(yaml.safe_dump({"root": below}))
    (folder / "cell.yaml").write_text(yaml.safe_dump({"extends": ["below.yaml"], "root": above}))
    composed = compose(folder / "cell.yaml")
    assert composed.values == {"root": merge(below, above)}
    known = {keys[:length] for keys, _ in leaves(composed.values) for length in range(1, len(keys) + 1)}
    assert known <= set(composed.origins)
    assert {keys for keys in composed.origins if not keys[-1].isdecimal()} <= known
