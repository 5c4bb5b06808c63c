import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.evaluate.step_errors import (
    best_threshold,
    first_error_f1,
    first_error_of_labels,
    predicted_first_error,
    step_auc,
)


def test_first_error() -> None:
    assert predicted_first_error([0.9, 0.4, 0.1]) == 1
    assert predicted_first_error([0.9, 0.4, 0.1], threshold=0.2) == 2
    # A step at the threshold is not below it.
    assert predicted_first_error([0.5]) == -1
    assert first_error_of_labels([1.0, None, 0.0, 0.0]) == 2
    assert first_error_of_labels([1.0, None]) == -1
    with pytest.raises(InputError, match="no step has a label"):
        first_error_of_labels([None])


def test_f1_by_hand() -> None:
    # Erroneous rows: found 1 of 2 (the second is found at the wrong step). Correct rows: 1 of 1... and one false alarm
    # in four. F1 = 2 * .5 * .75 / 1.25 = .6.
    report = first_error_f1([1, 0, -1, -1, -1, 2], [1, 3, -1, -1, -1, -1])
    assert report.erroneous.value == 0.5
    assert report.correct.value == 0.75
    assert report.f1.value == pytest.approx(0.6)
    # Slopes 2 (.75 / 1.25)^2 = .72 and 2 (.5 / 1.25)^2 = .32; standard errors .5 and .25.
    assert report.f1.stderr == pytest.approx(math.hypot(0.72 * 0.5, 0.32 * 0.25))
    assert report.f1.n == 6


def test_nothing_found_is_zero() -> None:
    assert first_error_f1([-1, 0], [0, -1]).f1.value == 0.0


def test_f1_needs_both_kinds() -> None:
    with pytest.raises(InputError, match="1 with, 0 without"):
        first_error_f1([0], [0])
    with pytest.raises(InputError, match="differ in number"):
        first_error_f1([0], [0, -1])


STEPS = st.lists(st.integers(0, 6).map(lambda score: score / 6), min_size=1, max_size=4)


@given(st.lists(st.tuples(STEPS, st.integers(-1, 3)), min_size=1, max_size=6))
def test_best_threshold_is_the_best_of_all(rows: list[tuple[list[float], int]]) -> None:
    scores = [steps for steps, _ in rows] + [[0.5], [0.5]]
    truth = [min(index, len(steps) - 1) for steps, index in rows] + [0, -1]
    # Scores are sixths (and 1/2), so predictions change nowhere else: a threshold between each two covers all cases.
    grid = [number / 12 for number in range(-1, 15)]
    best = max(first_error_f1([predicted_first_error(row, value) for row in scores], truth).f1.value for value in grid)
    choice = best_threshold(scores, truth, split="gsm8k")
    assert choice.f1.value == pytest.approx(best)
    assert choice.split == "gsm8k"


def test_best_threshold_lies_between_right_and_wrong() -> None:
    # Wrong steps score at most .2, right ones at least .3: every threshold in (.2, .3] is perfect; .25 is tried.
    choice = best_threshold([[0.9, 0.2], [0.3, 0.8], [0.7, 0.1]], [1, -1, 1], split="validation")
    assert choice.value == pytest.approx(0.25)
    assert choice.f1.value == 1.0
    with pytest.raises(InputError, match="solution 0: no such step, got 2"):
        best_threshold([[0.9, 0.2]], [2], split="validation")


def test_step_auc_by_hand() -> None:
    # Right: .9, .4; wrong: .6, .1. Pairs: .9 wins twice, .4 wins once: 3/4. The unlabelled .0 changes nothing.
    scores, labels = [[0.9, 0.6, 0.0], [0.4, 0.1]], [[1.0, 0.0, None], [1.0, 0.0]]
    estimate = step_auc(scores, labels)
    assert (estimate.value, estimate.n) == (0.75, 2)
    # Pulls, (placement - 3/4) / (2/4): .9 -> 1/2, .6 -> -1/2 | .4 -> -1/2, .1 -> 1/2. They cancel in each solution.
    assert estimate.stderr == pytest.approx(0.0)
    with pytest.raises(InputError, match="right and wrong"):
        step_auc([[0.9]], [[1.0]])


def test_step_auc_of_single_step_solutions_has_the_error_of_delong() -> None:
    # Placements of the right steps .9, .4, .3 over the wrong .5, .1: 1, 1/2, 1/2 (variance 1/12); of the wrong ones:
    # 1 of 3 right is above .5, 3 of 3 above .1: 1/3, 1 (variance 2/9). DeLong: (1/12)/3 + (2/9)/2 with ddof 1; pooling
    # all five as one sample divides by n - 1 once: 5/4 * ((1/18)/3 + (1/9)/2).
    scores = [[0.9], [0.4], [0.3], [0.5], [0.1]]
    labels: list[list[float | None]] = [[1.0], [1.0], [1.0], [0.0], [0.0]]
    assert step_auc(scores, labels).stderr == pytest.approx(math.sqrt(5 / 4 * ((1 / 18) / 3 + (1 / 9) / 2)))


@pytest.mark.realdata
def test_the_truth_predicts_itself_on_processbench(data_dir: Path) -> None:
    files = sorted((data_dir / "processbench").glob("*.json*"))
    assert files, "no ProcessBench file"
    text = files[0].read_text()
    rows = json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]
    truth = [row["label"] for row in rows]
    scores = [[0.0 if index == row["label"] else 1.0 for index in range(len(row["steps"]))] for row in rows]
    assert first_error_f1([predicted_first_error(row) for row in scores], truth).f1.value == 1.0
    assert best_threshold(scores, truth, split=files[0].stem).value == 0.5


@pytest.mark.realdata
@pytest.mark.parametrize(
    # Published for Qwen2.5-Math-PRM-7B (arXiv 2501.07301): accuracy with an error, without, and F1, in percent.
    ("split", "found", "kept", "f1"),
    [("gsm8k", 72.0, 96.4, 82.4), ("math", 68.0, 90.4, 77.6)],
)
def test_predictions_of_published_accuracies_give_the_published_f1(
    data_dir: Path, split: str, found: float, kept: float, f1: float
) -> None:
    rows = json.loads((data_dir / "processbench" / f"{split}.json").read_text())
    truth = [row["label"] for row in rows]
    correct = truth.count(-1)
    right = {True: round(found / 100 * (len(truth) - correct)), False: round(kept / 100 * correct)}
    predicted = []
    for label in truth:
        # The first so many of each kind are judged rightly; of the others the step after it is named.
        predicted.append(label if right[label != -1] > 0 else label + 1)
        right[label != -1] -= 1
    report = first_error_f1(predicted, truth)
    assert round(100 * report.erroneous.value, 1) == pytest.approx(found, abs=0.3)
    assert round(100 * report.correct.value, 1) == pytest.approx(kept, abs=0.3)
    assert round(100 * report.f1.value, 1) == pytest.approx(f1, abs=0.15)


@pytest.mark.realdata
def test_a_prm_that_is_always_wrong_has_an_f1_of_zero_and_no_crash(data_dir: Path) -> None:
    truth = [row["label"] for row in json.loads((data_dir / "processbench" / "gsm8k.json").read_text())]
    report = first_error_f1([label + 1 for label in truth], truth)
    assert (report.erroneous.value, report.correct.value, report.f1.value) == (0, 0, 0)
