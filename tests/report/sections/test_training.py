import math
from pathlib import Path

from prmkit.report.blocks import Figure, Section
from prmkit.report.read import read_runs
from prmkit.report.sections.training import training
from tests.report.runs import search_run, train_run
from tests.report.sections.found import blocks, figure, table


def section(*folders: Path) -> Section:
    return training(read_runs(folders))


def test_curves_are_drawn_over_the_steps_of_the_optimiser_and_what_is_unknown_is_a_gap(tmp_path: Path) -> None:
    found = section(train_run(tmp_path / "t"))
    assert [(one.name, one.x, one.y) for one in figure(found, "Loss, t").series] == [
        ("training", [1.0, 2.0], [0.7, 0.5]),
        ("held out", [1.0, 2.0], [0.6, 0.4]),
    ]
    scores = figure(found, "Step scores on held-out steps, t").series
    assert [(one.name, one.y) for one in scores] == [("AUROC", [0.7, None]), ("Brier score", [0.2, 0.1])]
    rate = figure(found, "Learning rate, t")
    assert (rate.y.title, rate.series[0].y) == ("learning rate", [0.001, 0.0])


def test_without_a_history_the_end_is_still_told(tmp_path: Path) -> None:
    run = train_run(tmp_path / "t", auroc=math.nan, pretraining_flops=5.25e22)
    (run / "history.csv").unlink()
    found = section(run)
    assert blocks(found, Figure) == []
    rows = dict(table(found, "At the end").rows)  # type: ignore[arg-type]
    assert rows["auroc"] is None
    assert (rows["loss"], rows["tokens"], rows["labels lost"]) == ("0.4", "1,000", "5")
    assert (rows["flops"], rows["pretraining flops"]) == ("2.5e+15", "5.25e+22")
    assert "corpus" not in rows


def test_where_the_tokens_of_the_pretraining_are_unknown_there_is_no_row(tmp_path: Path) -> None:
    assert "pretraining flops" not in dict(table(section(train_run(tmp_path / "t")), "At the end").rows)  # type: ignore[arg-type]


def test_a_search_is_no_training(tmp_path: Path) -> None:
    assert section(search_run(tmp_path / "s")).blocks == []
