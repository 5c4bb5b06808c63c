"""A real language model through every stage: real text and real tokens, as users have them.

SmolLM2 writes paragraphs, is cut off in the midst of them, and ends its turns with a token of its own. What it answers
is beside the point: what is held here is that no stage stumbles over it.
"""

import asyncio
import io
import json
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM

from prmkit.commands import main
from prmkit.models.checkpoint import CheckpointMeta, inspect_checkpoint, load_prm, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.models.tokenizer import load_tokenizer
from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat
from prmkit.score.transformers import TransformersScorer
from prmkit.search import STRATEGIES
from prmkit.tree import StepTree
from prmkit.trees_io import read_trees
from prmkit.yaml_io import dump_yaml
from tests.smollm2 import SMOLLM2, needs_smollm2

pytestmark = [pytest.mark.slow, needs_smollm2, pytest.mark.timeout(900)]

FORMAT = {"template": "chat", "step_end": "\n\n"}
"""Of policy and PRM."""

POLICY = {
    "name": str(SMOLLM2),
    "format": FORMAT,
    "sampling": {"max_tokens": 48, "temperature": 0.3},
    "max_rows": 32,
    "device": "cpu",
}

PROBLEMS = [
    ("Copy this text.\n\nFirst, 7 + 5 = 12.\n\nSo the answer is \\boxed{12}.", "7 + 5 = <<7+5=12>>12\n#### 12"),
    ("Seven plus five is twelve. Repeat: The answer is \\boxed{12}.", "7 + 5 = <<7+5=12>>12\n#### 12"),
    # It begins with a sentence, and then a list of paragraphs.
    ("Explain step by step how to make tea.", "5 + 5 = <<5+5=10>>10\n#### 10"),
    (
        "Mia has $20. She buys 3 pens at $2 each. How many dollars has she left? Write two short paragraphs, and "
        "\\boxed{} around the answer.",
        "The pens cost 3 * 2 = $<<3*2=6>>6.\n20 - 6 = $<<20-6=14>>14\n#### 14",
    ),
]
"""In GSM8K's form. The model can do the first and the third, and not the others: so labels differ."""

STEPWISE = {"max_steps": 2}
OPTIONS: dict[str, dict[str, Any]] = {
    "adaptive-best-of-n": {"n": 3},
    "beam": {"n": 4, "width": 2, **STEPWISE},
    "best-of-n": {"n": 3},
    "dvts": {"n": 2, "width": 2, **STEPWISE},
    "greedy": {"n": 3, **STEPWISE},
    "majority": {"n": 3},
    "mcts": {"n": 4, "width": 2, **STEPWISE},
    "particle-filtering": {"n": 2, **STEPWISE},
    "weighted-best-of-n": {"n": 3},
}


def prmkit(*arguments: object) -> Any:
    """What a verb that ends well prints with --json."""
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(printed):
        patch.setattr(sys, "argv", ["prmkit", *map(str, arguments), "--json"])
        with pytest.raises(SystemExit) as ended:
            main()
    assert not ended.value.code, arguments
    return json.loads(printed.getvalue())


def write(path: Path, **values: Any) -> Path:
    path.write_text(dump_yaml(values))
    return path


def metrics(run: Path) -> Any:
    return json.loads((run / "metrics.json").read_text())


def check_text(trees: list[StepTree]) -> None:
    """Every step is text, and becomes ordinary tokens and an end of a step again."""
    encoder = StepEncoder(load_tokenizer(str(SMOLLM2)), StepFormat(**FORMAT))
    special = set(encoder.tokenizer.all_special_ids)
    nodes = [node for tree in trees for node in tree.nodes]
    assert nodes
    for node in nodes:
        assert node.text.strip()
        assert not any(word in node.text for word in encoder.tokenizer.all_special_tokens)
        assert FORMAT["step_end"] not in node.text
        ids = encoder.step_ids(node.text)
        assert not special & set(ids)
        assert encoder.tokenizer.decode(ids) == node.text + FORMAT["step_end"]
    assert {node.finish for node in nodes} <= {"stop", "eos", "length"}


def shares(values: Any) -> Iterator[float]:
    """Every estimate that is nested in a result."""
    if isinstance(values, dict) and values.keys() == {"value", "stderr", "n"}:
        yield values["value"]
    elif isinstance(values, dict | list):
        for value in values.values() if isinstance(values, dict) else values:
            yield from shares(value)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("real")
    rows = [{"question": question, "answer": answer} for question, answer in PROBLEMS]
    (path / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(scope="module")
def annotated(folder: Path) -> Path:
    recipe = write(
        folder / "annotate.yaml",
        stage="annotate",
        problems=[{"benchmark": "gsm8k", "path": str(folder / "problems.jsonl")}],
        generator=POLICY,
        solutions=2,
        annotators=[{"options": {"rollouts": 2}}],
    )
    prmkit("annotate", recipe, "--out", folder / "annotate")
    return folder / "annotate"


@pytest.fixture(scope="module")
def trained(folder: Path, annotated: Path) -> Path:
    recipe = write(
        folder / "train.yaml",
        stage="train",
        data={"source": "trees", "path": str(annotated / "trees.jsonl")},
        model={"name": str(SMOLLM2), "format": FORMAT, "max_length": 256},
        train={
            "epochs": 1,
            "batch_size": 1,
            "lr": 1e-5,
            "validation_share": 0.25,
            "validations_per_epoch": 1,
            "devices": 1,
        },
    )
    prmkit("train", recipe, "--out", folder / "train")
    return folder / "train"


@pytest.fixture(scope="module")
def searched(folder: Path, trained: Path) -> Path:
    recipe = write(
        folder / "search.yaml",
        stage="search",
        problems={"benchmark": "gsm8k", "path": str(folder / "problems.jsonl"), "limit": 3},
        generator=POLICY,
        scorer={"checkpoint": str(trained / "checkpoint"), "device": "cpu"},
        compare={name: {"name": name, "options": options} for name, options in OPTIONS.items()},
    )
    prmkit("search", recipe, "--out", folder / "search")
    return folder / "search"


def test_every_strategy_is_tried() -> None:
    assert OPTIONS.keys() == STRATEGIES.builtin.keys()


def test_annotate(annotated: Path) -> None:
    trees = list(read_trees(annotated / "trees.jsonl"))
    assert [tree.problem.prompt for tree in trees] == [question for question, _ in PROBLEMS]
    check_text(trees)
    nodes = [node for tree in trees for node in tree.nodes]
    # Steps end at the separator, at the end of the turn and at the limit.
    assert {node.finish for node in nodes} == {"stop", "eos", "length"}
    labels = {node.label.value for node in nodes if node.label is not None}
    assert {0.0, 1.0} <= labels <= {0.0, 0.5, 1.0}


def test_train(trained: Path) -> None:
    found = metrics(trained)
    assert found["steps"] in (2, 3)
    assert found["loss"] > 0
    assert 0 <= found["brier"] <= 1
    facts = inspect_checkpoint(trained / "checkpoint")
    assert facts.architecture == "LlamaForRewardModel"
    assert facts.parameters == 134_515_008 + 576 * 576 + 576 + 576 + 1
    assert facts.meta.format == StepFormat(**FORMAT)
    tokenizer, policy = load_tokenizer(str(trained / "checkpoint")), load_tokenizer(str(SMOLLM2))
    text = "So, 12 + 345.\n\n2. Done"
    assert tokenizer(text)["input_ids"] == policy(text)["input_ids"]
    assert tokenizer.chat_template == policy.chat_template


@pytest.mark.parametrize("strategy", OPTIONS)
def test_search(strategy: str, searched: Path) -> None:
    trees = list(read_trees(searched / strategy / "trees.jsonl"))
    assert [tree.problem.prompt for tree in trees] == [question for question, _ in PROBLEMS[:3]]
    check_text(trees)
    scores = [node.score for tree in trees for node in tree.nodes if node.score is not None]
    assert bool(scores) == (strategy != "majority")
    assert all(0 < score < 1 for score in scores)
    assert all(0 <= share <= 1 for share in shares(metrics(searched / strategy).get("accuracy", {})))
    ledger = metrics(searched / strategy)["ledger"]
    assert ledger["generations"] > 0
    assert ledger["decode_tokens"] > 0


def test_searches_take_several_steps(searched: Path) -> None:
    for strategies in (set(OPTIONS), {name for name, options in OPTIONS.items() if "max_steps" in options}):
        trees = [tree for name in strategies for tree in read_trees(searched / name / "trees.jsonl")]
        assert any(node.parent != -1 for tree in trees for node in tree.nodes)


def test_scores_follow_from_the_texts_alone(searched: Path, trained: Path) -> None:
    """A PRM that reads the saved tree gives every step the score that it had when it was written."""
    scorer = TransformersScorer(load_prm(trained / "checkpoint"))
    for tree in read_trees(searched / "adaptive-best-of-n" / "trees.jsonl"):
        scored = [index for index, node in enumerate(tree.nodes) if node.score is not None]
        if scored:
            again = asyncio.run(scorer.score(tree, scored)).values
            assert again == pytest.approx([tree.nodes[index].score for index in scored], abs=1e-5)


def test_evaluate(folder: Path, searched: Path, annotated: Path, trained: Path) -> None:
    samples = prmkit("evaluate", "samples", searched / "best-of-n", "--out", folder / "samples")
    assert samples["problems"] == 3
    assert {"pass@1", "maj@3", "prm@3"} <= samples["selection"].keys()
    assert all(0 <= share <= 1 for share in shares(samples["selection"]))
    selection = prmkit("evaluate", "selection", searched / "best-of-n", "--out", folder / "selection")
    assert all(0 <= share <= 1 for share in shares(selection["selection"]))
    arguments = ("--source", "trees", "--prm", trained / "checkpoint", "--out", folder / "steps")
    steps = prmkit("evaluate", "steps", annotated / "trees.jsonl", *arguments)
    labelled = [node for tree in read_trees(annotated / "trees.jsonl") for node in tree.nodes if node.label is not None]
    assert steps["steps"]["steps"] == len(labelled)
    assert 0 <= steps["step_auc"]["value"] <= 1
    assert 0 <= steps["f1"]["value"] <= 1


def test_similarity_and_report(folder: Path, searched: Path, trained: Path, annotated: Path) -> None:
    trees = str(searched / "best-of-n" / "trees.jsonl")
    recipe = write(
        folder / "similarity.yaml",
        stage="similarity",
        reference={"name": str(SMOLLM2), "format": FORMAT},
        sets={"chosen": {"trees": trees, "select": "chosen"}, "one": {"trees": trees, "per_problem": 1}},
        pattern={"preset": "paper"},
    )
    table = prmkit("similarity", recipe, "--out", folder / "similarity")["table"]
    assert {(row["first"], row["second"]) for row in table} == {("chosen", "chosen"), ("chosen", "one"), ("one", "one")}
    assert all(-1 <= row["mean"] <= 1 for row in table)
    wrote = prmkit("report", searched, trained, annotated, folder / "similarity", "--out", folder / "report.html")
    page = Path(wrote["wrote"]).read_text(encoding="utf-8")
    assert all(name in page for name in OPTIONS)


def test_attribute(folder: Path, searched: Path, tmp_path: Path) -> None:
    """By a PRM of the first two of the 30 layers: a path through all of them takes minutes to integrate over."""
    backbone, format = tmp_path / "backbone", StepFormat(**FORMAT)
    AutoModelForCausalLM.from_pretrained(SMOLLM2, num_hidden_layers=2).save_pretrained(backbone)
    tokenizer = load_tokenizer(str(SMOLLM2))
    tokenizer.save_pretrained(backbone)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prm = PRM.from_backbone(str(backbone), ModelConfig(name=str(backbone), format=format, max_length=256))
    meta = CheckpointMeta(format=format, label_source="monte-carlo", max_length=256)
    save_prm(prm, tokenizer, tmp_path / "prm", meta)
    arguments = ("--samples", "3", "--out", tmp_path / "attribution.html")
    found = prmkit("attribute", tmp_path / "prm", searched / "best-of-n", *arguments)
    assert all(0 < score < 1 for score in found["scores"])
    encoder = StepEncoder(tokenizer, format)
    tree = next(iter(read_trees(searched / "best-of-n" / "trees.jsonl")))
    ids, _ = encoder.path_ids(tree.problem, found["steps"])
    assert found["tokens"] == [tokenizer.decode([token]) for token in ids]
    page = (tmp_path / "attribution.html").read_text(encoding="utf-8")
    assert "integrated gradients" in page
