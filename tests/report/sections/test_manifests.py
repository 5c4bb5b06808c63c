from pathlib import Path

from prmkit.evaluate.anytime import AnytimeResult
from prmkit.grade.config import GradingConfig
from prmkit.report.blocks import Code, Section
from prmkit.report.read import read_runs
from prmkit.report.sections.manifests import manifests
from tests.report.runs import (
    HOSTILE,
    comparison_run,
    evaluated,
    evaluation_of,
    search_run,
    steps_run,
    train_run,
    write_run,
)
from tests.report.sections.found import blocks

CURVES = AnytimeResult(curves={}, grading=GradingConfig())


def commands(*folders: Path) -> list[str]:
    return blocks(section(*folders), Code)[0].text.splitlines()


def section(*folders: Path) -> Section:
    return manifests(read_runs(folders))


def test_a_run_is_made_again_and_then_the_page(tmp_path: Path) -> None:
    run = train_run(tmp_path / "my run")
    assert commands(run) == [
        f"prmkit train '{run}/run.yaml' --out '{run}-again'",
        f"prmkit report '{run}'",
    ]


def test_the_verb_of_a_stage_may_be_two_words(tmp_path: Path) -> None:
    run = steps_run(tmp_path / "steps")
    assert commands(run)[0] == f"prmkit evaluate steps {run}/run.yaml --out {run}-again"


def test_evaluations_are_made_again_of_what_was_searched_again_with_every_value_as_it_was(tmp_path: Path) -> None:
    run = search_run(tmp_path / "s")
    evaluation_of(run, CURVES, stage="evaluate-anytime", folder="anytime")
    again = f"{run}-again"
    assert commands(run)[1:-1] == [
        f"prmkit evaluate anytime {run}/anytime/run.yaml --set path={again} --out {again}/anytime",
        f"prmkit evaluate samples {run}/evaluation/run.yaml --set path={again} --out {again}/evaluation",
    ]


def test_of_strategies_side_by_side_each_is_evaluated_in_its_own_folder(tmp_path: Path) -> None:
    run = comparison_run(tmp_path / "both", {"beam": {"p": True}})
    evaluation_of(run / "beam", evaluated())
    evaluation_of(run, CURVES, stage="evaluate-anytime", folder="anytime")
    again = f"{run}-again"
    assert commands(run)[:-1] == [
        f"prmkit search {run}/run.yaml --out {again}",
        f"prmkit evaluate anytime {run}/anytime/run.yaml --set path={again} --out {again}/anytime",
        f"prmkit evaluate samples {run}/beam/evaluation/run.yaml --set path={again}/beam --out {again}/beam/evaluation",
    ]


def test_an_evaluation_that_names_no_path_is_made_again_as_it_is(tmp_path: Path) -> None:
    run = search_run(tmp_path / "s")
    write_run(run / "anytime", "evaluate-anytime", CURVES)
    assert commands(run)[1] == f"prmkit evaluate anytime {run}/anytime/run.yaml --out {run}-again/anytime"


def test_what_is_no_finished_evaluation_of_the_run_is_not_made_again(tmp_path: Path) -> None:
    run = search_run(tmp_path / "s")
    before = commands(run)
    write_run(run / "selection", "evaluate-selection", None)
    evaluation_of(run / "deeper", CURVES, stage="evaluate-anytime", folder="anytime")
    assert commands(run) == before


def test_the_record_of_each_run_is_folded_away_as_it_was_written(tmp_path: Path) -> None:
    run = train_run(tmp_path / "t")
    (record,) = blocks(section(run), Code)[1:]
    assert record.title == "t (train): run.yaml"
    assert record.text == (run / "run.yaml").read_text()
    assert HOSTILE[:8] in record.text
