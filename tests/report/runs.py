"""Run folders as the stages leave them, made from the results' own types."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import BaseModel

from prmkit.attribution.record import Attribution, StepInfluence, TokenAttribution
from prmkit.evaluate.calibration import Bin, Calibration, Position
from prmkit.evaluate.curves import Curves
from prmkit.evaluate.evaluation import EvaluationResult
from prmkit.evaluate.labelled import ScoringCost, StepsResult
from prmkit.evaluate.side_by_side import SideBySideResult
from prmkit.evaluate.steps import StepReport
from prmkit.grade.config import GradingConfig
from prmkit.report.study_result import CellCounts, LineLeap, PaperValues, StudyFigure, StudyResult
from prmkit.run.results import Result, write_result
from prmkit.search.result import ProblemCost, SearchResult
from prmkit.session.ledger import Ledger
from prmkit.similarity.result import SimilarityResult
from prmkit.similarity.statistics.result import SetScore
from prmkit.sources.corpus import CorpusRecord
from prmkit.stats import Estimate
from prmkit.train.result import TrainingResult
from prmkit.tree import ROOT, Problem, StepTree
from prmkit.trees_io import append_lines, write_trees
from prmkit.yaml_io import dump_yaml

HOSTILE = "</script><script>alert(1)</script><!--<img src=x onerror=alert(2)>\u2028'\" onclick=alert(3)"
VERSIONS = {"prmkit": "0", "torch": "2"}
UNKNOWN = float("nan")
READ = CorpusRecord(
    read=12, kept=10, quarantined=1, filtered=1, nodes=90, labelled=80, source="trees", path="t", options={}
)


ResultKind = TypeVar("ResultKind", bound=BaseModel)


def changed(figures: ResultKind, **changes: Any) -> ResultKind:
    """The same with other values, which must be legal ones."""
    return type(figures)(**{**dict(figures), **changes})


def estimate(value: float, stderr: float = 0.01, n: int = 200) -> Estimate:
    return Estimate(value=value, stderr=stderr, n=n)


def write_run(
    folder: Path,
    stage: str,
    result: Result | None,
    recipe: Mapping[str, Any] | None = None,
    versions: Mapping[str, str] = VERSIONS,
) -> Path:
    """A folder with run.yaml and, but for None, metrics.json."""
    folder.mkdir(parents=True)
    asked = {"stage": stage, "about": HOSTILE, **(recipe or {})}
    record = {"recipe": asked, "seed": 7, "created": "now", "versions": dict(versions)}
    (folder / "run.yaml").write_text(dump_yaml(record))
    if result is not None:
        write_result(folder / "metrics.json", result)
    return folder


def calibrated() -> Calibration:
    return Calibration(
        brier=estimate(0.1, 0.02),
        ece=0.25,
        reliability=[Bin(low=0.5, high=0.6, steps=4, score=0.55, right=0.75)],
        by_position=[
            Position(position=name, steps=2, score=0.55, right=0.75, brier=0.1, ece=0.2) for name in ("1", "10+")
        ],
    )


def evaluated(*, difference: float = 0.2, **changes: Any) -> EvaluationResult:
    """Of the problems of ``search_run``; at every k of 1, 2 and 4, maj@k is 0.5, the others 0.7."""
    accuracy = {"pass": 0.7, "maj": 0.5, "prm": 0.7}
    selection = {f"{rule}@{k}": estimate(value) for k in (1, 2, 4) for rule, value in accuracy.items()}
    figures = EvaluationResult(
        problems=200,
        grading=GradingConfig(),
        aggregation="last",
        selection=selection,
        differences={"prm@4 - maj@4": estimate(difference, 0.05), "prm@4 - pass@1": estimate(difference, 0.05)},
        curves=Curves(
            k=[1, 2, 4], pass_=[estimate(0.7)] * 3, maj=[estimate(0.5)] * 3, prm=[estimate(0.7, UNKNOWN)] * 3
        ),
        groups={"level": {"3": selection, HOSTILE: selection}},
        rules={"pass@1": {"one": 0.0, "two": 0.5}, "maj@4": {"one": 0.0, "two": 0.5}},
        correct={"one": [False], "two": [True, False]},
        within_problem_auc=estimate(0.876, 0.012, 150),
        calibration=calibrated(),
    )
    return changed(figures, **changes)


def searched(strategy: str, benchmark: str, accuracy: Estimate, **changes: Any) -> SearchResult:
    figures = SearchResult(
        benchmark=benchmark,
        strategy=strategy,
        accuracy=accuracy,
        unanswered=0,
        exhausted=1,
        seconds=8.6,
        ledger=Ledger(generations=1600, decode_tokens=83_721, prm_tokens=115_562, generator_flops=UNKNOWN),
    )
    return changed(figures, **changes)


def evaluation_of(run: Path, result: Result, *, stage: str = "evaluate-samples", folder: str = "evaluation") -> Path:
    """An evaluation of a run, in its folder within it."""
    return write_run(run / folder, stage, result, {"path": str(run)})


def search_run(
    folder: Path, *, benchmark: str = "synthetic-math", evaluation: EvaluationResult | None = None, **recipe: Any
) -> Path:
    """Two problems; of the second, the right solution has score 0.9 and the wrong one 0.125."""
    trees = []
    for name, answers in (("one", [("wrong too", 0.5)]), ("two", [("4 is right", 0.9), (f"5 {HOSTILE}", 0.125)])):
        tree = StepTree(Problem(id=name, prompt=f"{name}? {HOSTILE}", answer="4", level="3"), meta={"chosen": "0"})
        for text, score in answers:
            tree.add(ROOT, text, score=score, finish="eos")
        trees.append(tree)
    run = write_run(folder, "search", searched("best-of-n", benchmark, estimate(0.5)), recipe)
    evaluation_of(run, evaluation or evaluated())
    write_trees(run / "trees.jsonl", trees)
    append_lines(run / "costs.jsonl", [cost("one", False), cost("two", True)])
    return run


def explained(steps: Sequence[str], scores: Sequence[float], *, text: str = "", method: str = "m") -> Attribution:
    """An attribution of a solution's first score, to a token of the problem and two of the step, the first ``text``."""
    token = TokenAttribution(
        method=method, values=(0.5, -1.0, 0.25), change=None, delta=None, ablation=1.0, random_ablation=0.5
    )
    return Attribution(
        problem="?",
        steps=tuple(steps),
        scores=tuple(scores),
        explained=0,
        tokens=("the ", text, " end"),
        step_of=(-1, 0, 0),
        neutral="_",
        by_token=(token,),
        by_step=(StepInfluence(method=method, matrix=((0.5,),), change=(0.5,), gap=0.0),),
    )


def cost(problem: str, right: bool, seconds: float = 1.0, **changes: Any) -> dict[str, Any]:
    found = ProblemCost(
        problem=problem,
        right=right,
        exhausted=False,
        generations=4,
        generated_tokens=40,
        total_tokens=60,
        flops=None,
        seconds=seconds,
    )
    return changed(found, **changes).as_json()


def strategy_run(
    folder: Path,
    right: Mapping[str, bool],
    *,
    prompt: str = "?",
    left: str = "left",
    benchmark: str = "b",
    grading: GradingConfig | None = None,
    **options: Any,
) -> Path:
    """A search by one strategy that chose rightly or wrongly on each of these problems."""
    result = searched(
        folder.name, benchmark, estimate(sum(right.values()) / len(right)), grading=grading or GradingConfig()
    )
    run = write_run(folder, "search", result, **options)
    trees = []
    for name, is_right in right.items():
        tree = StepTree(Problem(id=name, prompt=prompt, answer="4"), meta={"chosen": "1"})
        first = tree.add(ROOT, "the same first step", score=0.5)
        tree.add(first, "4" if is_right else f"5 by {folder.name}", score=0.75, finish="eos")
        tree.add(first, left, score=0.25)
        trees.append(tree)
    write_trees(run / "trees.jsonl", trees)
    append_lines(run / "costs.jsonl", [cost(name, is_right) for name, is_right in right.items()])
    return run


def comparison_run(folder: Path, strategies: Mapping[str, Mapping[str, bool]], *, named: Sequence[str] = ()) -> Path:
    """Strategies side by side as `prmkit search` leaves them; ``named`` are in the recipe, but have no folder."""
    compare = {name: {"name": name, "options": {}} for name in (*strategies, *named)}
    result = SideBySideResult(benchmark="b", strategies=[], differences=[])
    run = write_run(folder, "search", None if named else result, {"compare": compare})
    for name, right in strategies.items():
        strategy_run(run / name, right)
    return run


def trained(**changes: Any) -> TrainingResult:
    figures = TrainingResult(
        loss=0.4,
        auroc=0.91,
        brier=0.1,
        ece=0.02,
        f1=0.75,
        steps=40,
        tokens=1000,
        flops=2.5e15,
        seconds=12.0,
        rows=10,
        labels=80,
        cut=2,
        dropped=0,
        labels_lost=5,
        corpus=READ,
    )
    return changed(figures, **changes)


def train_run(folder: Path, **changes: Any) -> Path:
    recipe = {"model": {"name": "tiny"}, "data": {"path": "trees.jsonl"}}
    run = write_run(folder, "train", trained(**changes), recipe)
    header = "step,epoch,train_loss,loss,auroc,brier,lr,seconds\n"
    (run / "history.csv").write_text(header + "1,0,0.7,0.6,0.7,0.2,0.001,1\n2,1,0.5,0.4,nan,0.1,0.0,2\n")
    return run


def compared(**changes: Any) -> SimilarityResult:
    row = SetScore(
        first="math", second="code", mean=0.3125, stderr=UNKNOWN, sum=12.5, chance=0.08, centred=0.25, pairs=40
    )
    figures = SimilarityResult(table=[row], responses={"math": 5, "code": 8}, origin={}, seconds=1.0)
    return changed(figures, **changes)


def similarity_run(folder: Path, **changes: Any) -> Path:
    return write_run(folder, "similarity", compared(**changes))


def measured_steps(**changes: Any) -> StepsResult:
    figures = StepsResult(
        solutions=40,
        cut=0,
        threshold=0.5,
        threshold_from="given",
        erroneous=estimate(0.5, 0.03, 19),
        correct=estimate(0.79, 0.02, 21),
        f1=estimate(0.612, 0.021, 40),
        step_auc=estimate(0.88, 0.011, 40),
        steps=StepReport(steps=90, accuracy=0.8, f1=0.85, negative_f1=0.65, prm_score=0.75),
        calibration=calibrated(),
        corpus=READ,
        scoring=ScoringCost(steps=90, unscored=0, tokens=2000, seconds=3.0),
        seconds=4.0,
    )
    return changed(figures, **changes)


def steps_run(folder: Path, **changes: Any) -> Path:
    """A PRM on labelled steps."""
    recipe = {"corpus": {"source": "processbench", "path": "math.json"}, "scorer": {"checkpoint": "prm"}}
    return write_run(folder, "evaluate-steps", measured_steps(**changes), recipe)


def studied(kind: Literal["line", "bar", "table"] = "line", name: str = "prm", **changes: Any) -> StudyResult:
    """Accuracy over n by rule; ``name`` stands wherever text may."""
    rows = [
        {"rule": name, "n": 8, "accuracy": 81.25, "accuracy_stderr": 2.5, "accuracy_n": 250},
        {"rule": name, "n": 1, "accuracy": 43.0, "accuracy_runs": 2, "accuracy_runs_stderr": 0.5},
        {"rule": "majority", "n": 1, "accuracy": None},
        {"rule": "majority", "n": 8, "accuracy": 51.0, "accuracy_stderr": 3.0},
    ]
    figures = StudyResult(
        title=name,
        study="figure",
        scale="synthetic",
        rows=rows,
        figure=StudyFigure(kind=kind, x="n", y="accuracy", series="rule", log=True),
        tables={name: [{"step": name}]},
        pairs=[{"difference": f"{name} - majority", "points": 30.25}],
        paper=PaperValues(claim=name, rows=[{"rule": name, "accuracy": 0.5}]),
        notes=[name],
        cells=CellCounts(done=3, missing=1),
        seconds=3.0,
        cpu_seconds=5.0,
    )
    return changed(figures, **changes)


def with_leaps(study: StudyResult, *leaps: LineLeap) -> StudyResult:
    return changed(study, figure=changed(study.figure, leaps=list(leaps)))
