from typing import Any

from prmkit.evaluate.anytime import Curve, CurvePoint
from prmkit.report.sections.anytime import anytime_figures
from prmkit.stats import Estimate


def point(generations: int, accuracy: float, stderr: float = 0.05, **spent: Any) -> CurvePoint:
    known = {"generated_tokens": 10, "total_tokens": 20, "flops": None, "seconds": 0.0} | spent
    return CurvePoint(generations=generations, accuracy=Estimate(value=accuracy, stderr=stderr, n=4), **known)


def curve(*points: CurvePoint, kind: Any = "parts") -> Curve:
    return Curve(strategy="beam", kind=kind, rule="best", aggregation="last", points=list(points))


def test_a_curve_is_drawn_in_per_cent_against_each_currency_that_was_counted() -> None:
    curves = {"beam": curve(point(8, 0.75, float("nan")), point(2, 0.5)), "dvts": curve(point(4, 0.25), kind="point")}
    found = anytime_figures(curves, "run")
    assert [figure.title for figure in found] == [
        "Accuracy by generations a problem, run",
        "Accuracy by tokens generated a problem, run",
        "Accuracy by tokens of policy and PRM a problem, run",
    ]
    assert found[0].x.log
    beam, dvts = found[0].series
    assert beam.name == "beam (from one run of independent parts)"
    assert (beam.x, beam.y, beam.stderr) == ([2, 8], [50.0, 75.0], [5.0, None])
    assert (dvts.name, dvts.x, dvts.y) == ("dvts (one run, one budget)", [4], [25.0])


def test_a_point_that_counts_no_flops_is_left_out_of_their_figure() -> None:
    (figure,) = (
        figure
        for figure in anytime_figures({"beam": curve(point(1, 0.5), point(2, 0.5, flops=1e9))}, "run")
        if figure.x.title == "FLOPs a problem"
    )
    assert [one.x for one in figure.series] == [[1e9]]
