import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from prmkit.models.backbone import load_backbone
from prmkit.models.checkpoint import CheckpointMeta, save_prm
from prmkit.models.prm import PRM
from prmkit.packing.format import StepFormat
from prmkit.tree import ROOT, Problem, StepTree
from prmkit.trees_io import write_trees
from tests.commands.conftest import Answer
from tests.tiny import tiny_bpe_tokenizer


@pytest.fixture
def prm(backbone: str, tmp_path: Path) -> Path:
    model, _ = load_backbone(backbone, torch.float32)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        made = PRM(model)
    meta = CheckpointMeta(format=StepFormat(), label_source="human", max_length=64)
    save_prm(made, tiny_bpe_tokenizer(), tmp_path / "prm", meta)
    return tmp_path / "prm"


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    tree = StepTree(Problem(id="p", prompt="1 + 1?"))
    first = tree.add(ROOT, "so <b>")
    tree.add(first, "it is 2", finish="eos")
    tree.add(ROOT, "3", finish="eos")
    tree.meta["chosen"] = "1"
    write_trees(tmp_path / "trees.jsonl", [tree])
    return tmp_path / "trees.jsonl"


def test_one_solution_is_explained_on_a_page(
    prmkit: Callable[..., Answer], prm: Path, trees: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    answer = prmkit("attribute", prm, trees, "--step", "2", "--samples", "4", "--out", page, "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    assert (found["steps"], found["explained"], len(found["by_step"])) == (["so <b>", "it is 2"], 1, 2)
    assert "so &lt;b&gt;" in page.read_text()
    assert "<b>so" not in page.read_text()
    refused = prmkit("attribute", prm, trees, "--out", page)
    assert (refused.code, refused.err.strip()) == (2, f"{page}: the file exists. Give --overwrite or another --out.")
    other = prmkit("attribute", prm, trees, "--leaf", "2", "--out", page, "--overwrite")
    assert other.code == 0
    assert "lowered most by step (Shapley values)  1" in other.out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--problem", "q"), "trees.jsonl: no such problem, got 'q'"),
        (("--leaf", "9"), "p: no such node, got 9; expected 0 to 2"),
        (("--step", "7"), "p: no such step, got 7; expected 1 to 2"),
    ],
)
def test_what_is_not_there_is_one_line(
    prmkit: Callable[..., Answer], prm: Path, trees: Path, tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    answer = prmkit("attribute", prm, trees, *options, "--out", tmp_path / "page.html")
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
    assert not (tmp_path / "page.html").exists()


def test_in_a_run_folder_the_attribution_is_kept_for_the_report(
    prmkit: Callable[..., Answer], prm: Path, trees: Path, tmp_path: Path
) -> None:
    (tmp_path / "run.yaml").write_text("recipe: {stage: search}\n")
    for step in ("1", "2"):
        options = ("--step", step, "--samples", "4", "--out", tmp_path / "page.html", "--overwrite")
        answer = prmkit("attribute", prm, tmp_path, *options)
        assert answer.code == 0, answer.err
    kept = [json.loads(line) for line in (tmp_path / "attributions.jsonl").read_text().splitlines()]
    assert [(one["problem_id"], one["leaf"], one["explained"]) for one in kept] == [("p", 1, 0), ("p", 1, 1)]
    assert kept[0]["steps"] == ["so <b>", "it is 2"]
