from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.recipe.compose import compose
from prmkit.study.axes import Plan, plan_of, readings_of, rows_in
from prmkit.study.recipe import Reading, ResultConfig, RowsConfig
from prmkit.study.scale import at_scale
from prmkit.study.templates import Name
from tests.study.studies import STUDY, changed, write_study


def planned(folder: Path, text: str = STUDY) -> Plan:
    return plan_of(*at_scale(compose(write_study(folder, text)), "synthetic"))


def test_a_run_ranges_over_what_it_names_and_over_what_its_inputs_range_over(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert plan.order == ["world", "train", "stats"]  # nothing reads `unused`
    assert plan.over == {"world": ["size"], "train": ["size", "seed"], "stats": ["size", "seed"]}
    assert {name: list(plan.upstream[name]) for name in plan.order} == {
        "world": [],
        "train": ["world"],
        "stats": ["train"],
    }


def test_runs_that_only_wait_for_others_range_with_them(tmp_path: Path) -> None:
    plan = planned(
        tmp_path, changed("{recipe: synthetic/train, set: {seed: 77}}", "{command: [data, list], after: [world]}")
    )
    assert "unused" not in plan.over
    plan = planned(
        tmp_path,
        changed("{recipe: synthetic/train, set: {seed: 77}}", "{command: [data, list], after: [world]}").replace(
            "of: stats", "of: unused"
        ),
    )
    assert plan.order == ["world", "unused"]
    assert plan.over["unused"] == ["size"]


def test_a_run_that_the_pairs_alone_compare_is_needed(tmp_path: Path) -> None:
    text = STUDY.replace("scales:", "  pairs: {of: unused, by: seed}\nscales:").replace("seed: 77", 'seed: "{seed}"')
    assert set(planned(tmp_path, text).order) == {"world", "train", "stats", "unused"}


def test_points_are_all_combinations_the_last_axis_fastest(tmp_path: Path) -> None:
    plan = planned(tmp_path)
    assert list(plan.points(["size", "k"])) == [
        {"size": "small", "k": 1},
        {"size": "small", "k": 2},
        {"size": "large", "k": 1},
        {"size": "large", "k": 2},
    ]
    assert list(plan.points([])) == [{}]


def test_a_name_means_the_value_of_its_axis_or_a_field_with_names_filled_in(tmp_path: Path) -> None:
    text = changed("  k: [1, 2]", '  k: {one: {path: "{size}/{size.steps}", n: 1}}')
    plan = planned(tmp_path, text.replace('loss.{k}"', 'loss.{k.n}"'))
    point = {"size": "large", "k": "one"}
    assert plan.meaning(Name("size", None), point) == "large"
    assert plan.meaning(Name("size", "steps"), point) == 7
    assert plan.meaning(Name("k", "path"), point) == "large/7"
    # Who names k.path ranges over size too, in the order of the study.
    assert plan.axes_in(["{k.path}", "{nothing}"]) == ["size", "k"]
    assert plan.axes_in("{k.n}") == ["k"]


def test_a_value_may_name_the_axes_before_its_own_alone(tmp_path: Path) -> None:
    text = changed("small: {steps: 5, lr: 1e-3}", 'small: {steps: "{seed}", lr: 1e-3}')
    with pytest.raises(InputError, match=r":5: a name in braces stands for nothing, got 'seed'; expected an axis or a"):
        planned(tmp_path, text)


def test_rows_and_tables_of_a_result_have_their_place_and_their_readings() -> None:
    each, column = Reading(of="a", at="table"), Reading(at="mean")
    rows = RowsConfig(each=each, columns={"name": "{k}", "mean": column})
    bare = RowsConfig(columns={"loss": Reading(of="b", at="loss")})
    result = ResultConfig(rows=[rows, bare], tables={"By level": bare})
    assert rows_in(result) == {("rows", "0"): rows, ("rows", "1"): bare, ("tables", "By level"): bare}
    assert readings_of(rows) == [each, column]
    assert readings_of(bare) == [bare.columns["loss"]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"{world}/backbone"', '"{wrld}/backbone"', r":10: a name in braces .* got 'wrld'; .* Did you mean world\?"),
        ('"{size.lr}"', '"{size.rl}"', r":10: a name in braces .* got 'size.rl'; expected one of size.lr, size.steps"),
        ('"{size.lr}"', '"{seed.lr}"', r":10: a name in braces .* got 'seed.lr'; expected an axis or a run"),
        (
            "synthetic/train, set: {model",
            '"synthetic/{sise}", set: {model',
            r":10: .* got 'sise'; .*Did you mean size\?",
        ),
        ("{command: [data", "{recipe: synthetic/train, command: [data", r":11: a run is a recipe or a command"),
        ("of: stats", "of: stat", r":19: a name in braces stands for nothing, got 'stat'; .*Did you mean stats\?"),
        ('k: "{k}"', 'k: "{kk}"', r":19: a name in braces stands for nothing, got 'kk'"),
        ('at: "loss.{k}"', 'at: "loss.{kk}"', r":19: a name in braces stands for nothing, got 'kk'"),
        (
            "{recipe: synthetic/world, set",
            "{recipe: synthetic/world, after: [stats], set",
            r":\d+: runs wait for each other, got '",
        ),
        (
            "{recipe: synthetic/world, set",
            "{recipe: synthetic/world, after: [sats], set",
            r":9: .*Did you mean stats\?",
        ),
        ("  y: loss", "  y: los", r":16: the rows have no such column, got 'los'; .*Did you mean loss\?"),
        ("  x: k", "  within: {cost: sec, limits: [1]}\n  x: k", r":15: the rows have no such column, got 'sec'"),
        ("  x: k", "  pairs: {of: train, by: sise}\n  x: k", r":15: .* got 'sise'; .*Did you mean size\?"),
        ("  x: k", "  pairs: {of: world, by: seed}\n  x: k", r":15: the run does not range over the axis, got 'seed'"),
        ("  x: k", "  pairs: {of: trian, by: size}\n  x: k", r":15: .* got 'trian'; .*Did you mean train\?"),
        ("seed: [1, 2]", "seed: []", r":6: an axis without values, got 'seed'"),
        ("  k: [1, 2]", "  k: [1, 2]\n  train: [1]", r":8: an axis and a run have one name, got 'train'"),
        ("  rows:", "  tables:\n    T: {columns: {a: {of: sats, at: x}}}\n  rows:", r":19: .*Did you mean stats\?"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(InputError, match=rf"^{tmp_path}/study\.yaml{message}"):
        planned(tmp_path, changed(old, new))


def test_a_study_without_rows_has_no_result(tmp_path: Path) -> None:
    for result in ("", "result: {kind: table}\n"):
        head, _, rest = STUDY.partition("result:\n")
        with pytest.raises(InputError, match=r"study\.yaml(:\d+)?: the study has no result; expected result\.rows"):
            planned(tmp_path, head + result + "scales:" + rest.partition("scales:")[2])
