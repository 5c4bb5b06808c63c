from pathlib import Path

from prmkit.annotate.result import AnnotationResult, PassCost, Read
from prmkit.evaluate.steps import ClassReports, StepReport
from prmkit.report.blocks import Section
from prmkit.report.read import read_runs
from prmkit.report.sections.labels import labels
from prmkit.session.ledger import Ledger
from prmkit.tree import ROOT, Label, Problem, StepTree
from prmkit.trees_io import write_trees
from tests.report.runs import changed, search_run, steps_run, write_run
from tests.report.sections.found import figure, table

ANNOTATION = AnnotationResult(
    problems=3,
    trees=2,
    unlabelled=1,
    steps=5,
    labelled=4,
    mean_label=0.625,
    seconds=1.0,
    passes={"labels": PassCost(rollouts=16, tokens=100)},
    ledger=Ledger(),
    read=Read(corpora=[], answered=0, unanswered=0),
)


def section(*folders: Path) -> Section:
    return labels(read_runs(folders))


def test_an_annotation_is_counted_and_its_labels_are_spread(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", "annotate", ANNOTATION)
    tree = StepTree(Problem(id="p", prompt="?"))
    for value in (0.0, 0.5, 1.0, 1.0):
        tree.add(ROOT, "step", label=Label(value=value, source="monte-carlo"))
    tree.add(ROOT, "without")
    write_trees(run / "trees.jsonl", [tree])
    found = section(run)
    assert figure(found, "Labels, a").series[0].y == [1, 0, 0, 0, 0, 1, 0, 0, 0, 2]
    assert table(found).rows == [
        ("problems", 3),
        ("trees", 2),
        ("steps", 5),
        ("labelled", 4),
        ("unlabelled", 1),
        ("mean label", "0.625"),
    ]


def test_figures_that_are_not_there_have_no_row(tmp_path: Path) -> None:
    run = write_run(tmp_path / "a", "annotate", changed(ANNOTATION, mean_label=None))
    assert [row[0] for row in table(section(run)).rows][-1] == "unlabelled"
    steps = steps_run(tmp_path / "steps", f1=None, erroneous=None, correct=None)
    assert [row[0] for row in table(section(steps)).rows] == ["solutions", "threshold", "threshold from", "step auc"]


def test_a_prm_on_labelled_steps_has_its_errors_and_its_classes(tmp_path: Path) -> None:
    report = StepReport(steps=9, accuracy=0.75, f1=0.8, negative_f1=0.6, prm_score=0.7)
    classes = ClassReports(classes={"circular": report}, categories={"simplicity": 0.7}, prm_score=0.65)
    found = section(steps_run(tmp_path / "steps", by_class=classes))
    assert dict(table(found).rows)["f1"] == "0.612 ± 0.021"
    assert table(found, "By class").columns == ["class", "steps", "accuracy", "f1", "negative f1", "prm score"]
    assert table(found, "By class").rows == [["circular", 9, "0.75", "0.8", "0.6", "0.7"]]
    assert table(found, "By category").rows == [["simplicity", "0.7"], ["all steps", "0.65"]]


def test_a_search_has_no_labels(tmp_path: Path) -> None:
    assert section(search_run(tmp_path / "s")).blocks == []
