"""A training, a search and a step evaluation of its PRM, as the verbs leave them, without the hours."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch

from prmkit.models.checkpoint import CheckpointMeta, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.packing.format import StepFormat
from prmkit.recipe.stages.annotate import AnnotateRecipe
from prmkit.recipe.stages.evaluate_samples import EvaluateSamplesRecipe
from prmkit.recipe.stages.evaluate_steps import EvaluateStepsRecipe
from prmkit.recipe.stages.search import SearchRecipe
from prmkit.recipe.stages.train import TrainRecipe
from prmkit.run.folder import RunFolder
from prmkit.run.results import Result, write_result
from tests.report.runs import READ, changed, estimate, evaluated, measured_steps, searched, trained
from tests.tiny import tiny_backbone, tiny_tokenizer


def save_tiny_prm(folder: Path, *, seed: int = 0, label_source: str = "monte-carlo") -> None:
    name = tiny_backbone(folder.parent / f".backbone-{folder.name}")
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        prm = PRM.from_backbone(name, ModelConfig(name=name, max_length=64))
        torch.nn.init.normal_(prm.score[2].weight)  # a fresh head scores all steps alike
    save_prm(
        prm, tiny_tokenizer(), folder, CheckpointMeta(format=StepFormat(), label_source=label_source, max_length=64)
    )


def finished_run(path: Path, recipe: Mapping[str, Any], result: Result, *inputs: Path) -> RunFolder:
    run = RunFolder.create(path, recipe, inputs=inputs, seed=1)
    write_result(run.metrics_file, result)
    return run


@pytest.fixture
def training(tmp_path: Path) -> Path:
    """The run folder of a training on trees that an annotation labelled."""
    problems = [{"benchmark": "gsm8k", "options": {"split": "train"}}]
    annotate = {"stage": "annotate", "problems": problems, "generator": {"name": "/home/bob/policies/tiny"}}
    labelled = AnnotateRecipe.model_validate(annotate | {"data": [{"source": "prm800k", "path": "hub:org/prm:train"}]})
    annotated = RunFolder.create(tmp_path / "labels", labelled.model_dump(mode="json"), seed=1)
    annotated.trees.write_text("{}\n")
    recipe = TrainRecipe.model_validate(
        {
            "stage": "train",
            "data": {"source": "trees", "path": str(annotated.trees)},
            "model": {"name": "Qwen/Qwen2.5-0.5B-Instruct", "max_length": 64},
            "train": {"lr": 3e-5},
        }
    )
    result = trained(
        tokens=123_456,
        seconds=5400.0,
        pretraining_flops=5.3e22,
        rows=1190,
        labels=8000,
        corpus=changed(READ, read=1200, kept=1190, quarantined=7, labelled=8000, filtered=3),
    )
    run = finished_run(tmp_path / "my-prm", recipe.model_dump(mode="json"), result, annotated.trees)
    save_tiny_prm(run.checkpoint)
    return run.path


@pytest.fixture
def search(training: Path, tmp_path: Path) -> Path:
    """An evaluated best-of-8 with the PRM of that training."""
    recipe = SearchRecipe.model_validate(
        {
            "stage": "search",
            "problems": {"benchmark": "gsm8k"},
            "generator": {"name": "org/policy"},
            "scorer": {"checkpoint": str(training / "checkpoint")},
            "strategy": {"name": "best-of-n", "options": {"n": 8}},
        }
    )
    result = searched("best-of-n", "gsm8k", estimate(0.796, 0.0257, 250))
    run = finished_run(tmp_path / "search", recipe.model_dump(mode="json"), result)
    selection = {f"{rule}@{k}": estimate(0.1 * k, 0.03, 250) for rule in ("pass", "maj", "prm") for k in (1, 2, 4, 8)}
    evaluation = evaluated(
        selection=selection,
        rules={"pass@1": {"one": 0.5}, "prm@8": {"one": 1.0}},
        differences={"prm@8 - maj@8": estimate(0.284, 0.037, 250)},
        within_problem_auc=estimate(0.869, 0.016, 226),
    )
    asked = EvaluateSamplesRecipe(stage="evaluate-samples", path=str(run.path))
    finished_run(run.evaluation.parent, asked.model_dump(mode="json"), evaluation)
    return run.path


@pytest.fixture
def stepwise(training: Path, tmp_path: Path) -> Path:
    """The PRM on labelled steps."""
    recipe = EvaluateStepsRecipe.model_validate(
        {
            "stage": "evaluate-steps",
            "corpus": {"source": "processbench", "path": "/data/bob/math.json"},
            "scorer": {"checkpoint": str(training / "checkpoint")},
        }
    )
    result = measured_steps(
        solutions=400,
        f1=estimate(0.612, 0.021, 400),
        erroneous=estimate(0.5, 0.03, 193),
        correct=estimate(0.79, 0.02, 207),
        step_auc=estimate(0.88, 0.011, 400),
    )
    return finished_run(tmp_path / "steps", recipe.model_dump(mode="json"), result).path
