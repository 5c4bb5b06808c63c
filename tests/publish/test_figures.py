"""The figures of runs on a card, and the runs that have none."""

from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.side_by_side import SideBySideResult
from prmkit.evaluate.steps import ClassReports, StepReport
from prmkit.publish.figures import CardFigure, figures_of, held_out
from prmkit.run.folder import RunFolder
from prmkit.run.results import read_result, write_result
from prmkit.train.result import TrainingResult
from tests.publish.conftest import finished_run, save_tiny_prm
from tests.report.runs import UNKNOWN, estimate, evaluated, measured_steps, trained

HOW = "best-of-n (n = 8), policy policy"


@pytest.mark.parametrize(
    ("metric", "value", "stderr", "shown"),
    [
        ("prm@8", 0.796, 0.0257, "79.6 ± 2.6 %"),
        ("prm@8 - maj@8", -0.0125, None, "-1.2 points"),
        ("step AUC", 0.8804, 0.0112, "0.880 ± 0.011"),
        ("Brier score", 0.125, None, "0.125"),
    ],
)
def test_a_share_is_in_per_cent_a_difference_in_points_and_an_area_in_units(
    metric: str, value: float, stderr: float | None, shown: str
) -> None:
    assert str(CardFigure(data="d", setting="s", metric=metric, value=value, stderr=stderr, n=9)) == shown


def test_a_search_has_its_accuracy_and_the_rules_at_its_most_samples(training: Path, search: Path) -> None:
    found = figures_of(search, training / "checkpoint")
    assert {(one.data, one.setting, one.of) for one in found} == {("gsm8k", HOW, "problems")}
    assert [(one.metric, one.value, one.stderr, one.n) for one in found] == [
        ("accuracy", 0.796, 0.0257, 250),
        ("pass@1", 0.1, 0.03, 250),
        ("maj@8", pytest.approx(0.8), 0.03, 250),
        ("prm@8", pytest.approx(0.8), 0.03, 250),
        ("pass@8", pytest.approx(0.8), 0.03, 250),
        ("prm@8 - maj@8", 0.284, 0.037, 250),
        ("AUC within a problem", 0.869, 0.016, 226),
    ]


def test_what_an_evaluation_without_scores_has_not_is_left_out(training: Path, search: Path) -> None:
    selection = {"pass@1": estimate(0.5), "maj@4": estimate(0.75, UNKNOWN), "pass@4": estimate(0.75)}
    bare = evaluated(selection=selection, differences={}, within_problem_auc=estimate(UNKNOWN, UNKNOWN, 0))
    write_result(RunFolder(search).evaluation, bare)
    found = figures_of(search, training / "checkpoint")
    assert [(one.metric, one.stderr) for one in found[1:]] == [("pass@1", 0.01), ("maj@4", None), ("pass@4", 0.01)]


def test_what_passes_the_base_tests_alone_stands_beside_what_passes_all(training: Path, search: Path) -> None:
    base = {"pass@1": estimate(0.75), "pass@4": estimate(0.875)}
    write_result(RunFolder(search).evaluation, evaluated(base=base, differences={}))
    found = {one.metric: str(one) for one in figures_of(search, training / "checkpoint")}
    assert found["pass@1"] == "70.0 ± 1.0 %"
    assert found["pass@1, base tests alone"] == "75.0 ± 1.0 %"
    assert found["pass@4, base tests alone"] == "87.5 ± 1.0 %"


def test_a_search_that_was_not_evaluated_has_its_accuracy(training: Path, search: Path) -> None:
    RunFolder(search).evaluation.unlink()
    assert [one.metric for one in figures_of(search, training / "checkpoint")] == ["accuracy"]


def test_an_evaluation_by_an_older_version_is_not_passed_over(training: Path, search: Path) -> None:
    (search / "evaluation.json").write_text("{}")
    assert len(figures_of(search, training / "checkpoint")) == 7  # it was made again since
    RunFolder(search).evaluation.unlink()
    with pytest.raises(InputError, match=rf"evaluation\.json: .* older prmkit.*: prmkit evaluate {search}$"):
        figures_of(search, training / "checkpoint")


def test_a_step_evaluation_has_its_threshold_and_counts_solutions(training: Path, stepwise: Path) -> None:
    found = figures_of(stepwise, training / "checkpoint")
    assert {(one.data, one.setting, one.of) for one in found} == {
        ("processbench (math.json)", "threshold 0.5, fixed beforehand", "solutions")
    }
    assert [(one.metric, str(one), one.n) for one in found] == [
        ("first-error F1", "61.2 ± 2.1 %", 400),
        ("wrong solutions with the first error found", "50.0 ± 3.0 %", 193),
        ("right solutions without a false alarm", "79.0 ± 2.0 %", 207),
        ("step AUC", "0.880 ± 0.011", 400),
        ("Brier score", "0.100 ± 0.020", 200),
    ]


def test_a_threshold_names_what_it_was_chosen_on_and_first_errors_may_be_missing(
    training: Path, stepwise: Path
) -> None:
    result = measured_steps(
        threshold=0.123456, threshold_from="/data/bob/other.json", f1=None, erroneous=None, correct=None
    )
    write_result(RunFolder(stepwise).metrics_file, result)
    found = figures_of(stepwise, training / "checkpoint")
    assert {one.setting for one in found} == {"threshold 0.123, chosen on other.json"}
    assert [one.metric for one in found] == ["step AUC", "Brier score"]


def test_prmbench_has_its_scores_and_what_cannot_be_known_of_one_kind_of_steps_is_left_out(
    training: Path, stepwise: Path
) -> None:
    report = StepReport(steps=90, accuracy=0.8, f1=0.85, negative_f1=0.0, prm_score=0.85)
    classes = ClassReports(classes={"multi_solutions": report}, categories={"sensitivity": 0.85}, prm_score=0.425)
    result = measured_steps(by_class=classes, step_auc=None, f1=None, erroneous=None)
    write_result(RunFolder(stepwise).metrics_file, result)
    assert [(one.metric, str(one), one.n) for one in figures_of(stepwise, training / "checkpoint")] == [
        ("right solutions without a false alarm", "79.0 ± 2.0 %", 21),
        ("PRM-Score", "42.5 %", 40),
        ("PRM-Score, sensitivity", "85.0 %", 40),
        ("Brier score", "0.100 ± 0.020", 200),
    ]


def test_held_out_figures_have_no_errors_and_unknown_ones_are_left_out(training: Path) -> None:
    found = held_out(read_result(RunFolder(training).metrics_file, TrainingResult), "trees")
    assert [(one.metric, str(one)) for one in found] == [
        ("AUROC", "0.910"),
        ("first-error F1", "75.0 %"),
        ("Brier score", "0.100"),
        ("calibration error", "0.020"),
    ]
    assert "AUROC" not in [one.metric for one in held_out(trained(auroc=UNKNOWN), "trees")]


def test_figures_of_another_prm_are_refused_and_the_same_weights_elsewhere_are_not(
    training: Path, search: Path, tmp_path: Path
) -> None:
    save_tiny_prm(tmp_path / "other", seed=1)
    with pytest.raises(InputError, match="used another PRM"):
        figures_of(search, tmp_path / "other")
    save_tiny_prm(tmp_path / "copy")
    assert figures_of(search, tmp_path / "copy")[0].value == 0.796


def test_a_search_without_a_prm_says_nothing_of_one(training: Path, search: Path) -> None:
    recipe = RunFolder(search).read_record()["recipe"]
    bare = RunFolder.create(search.parent / "bare", recipe | {"scorer": None}, seed=1)
    with pytest.raises(InputError, match="the run used no PRM"):
        figures_of(bare.path, training / "checkpoint")


def test_runs_without_figures_of_a_prm_are_refused(training: Path, search: Path, tmp_path: Path) -> None:
    checkpoint = training / "checkpoint"
    with pytest.raises(InputError, match="no figures of such a run, got 'train'"):
        figures_of(training, checkpoint)
    with pytest.raises(InputError, match="not the folder of a run"):
        figures_of(tmp_path / "nowhere", checkpoint)
    older = RunFolder.create(tmp_path / "older", {"stage": "evaluate", "prm": "p", "path": "math.json"}, seed=1)
    with pytest.raises(InputError, match=r"Make it again: prmkit evaluate steps math\.json --prm p "):
        figures_of(older.path, checkpoint)
    RunFolder(search).metrics_file.unlink()
    with pytest.raises(InputError, match="Let it end first"):
        figures_of(search, checkpoint)


def test_of_several_strategies_one_must_be_named(training: Path, search: Path) -> None:
    recipe = RunFolder(search).read_record()["recipe"]
    side = {"strategy": None, "compare": {"a": recipe["strategy"], "b": recipe["strategy"]}}
    result = SideBySideResult(benchmark="gsm8k", strategies=[], differences=[])
    together = finished_run(search.parent / "together", recipe | side, result)
    with pytest.raises(InputError, match="Name the folder of one strategy"):
        figures_of(together.path, training / "checkpoint")
