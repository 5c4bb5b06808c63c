import asyncio
import csv
import random
import signal
from pathlib import Path

import pytest
import torch
from torch import Tensor

from prmkit.errors import InputError, RunError
from prmkit.models.checkpoint import load_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.packing.format import StepFormat
from prmkit.score import PrmConfig, load_scorer
from prmkit.train.config import TrainConfig
from prmkit.train.fit import TrainResult, train_prm, training_rows
from prmkit.tree import StepTree
from tests.packing.families import TEMPLATES
from tests.tiny import path_tree, tiny_backbone, tiny_bpe_tokenizer
from tests.zoo import WINDOWED, tiny_folder


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_backbone(tmp_path_factory.mktemp("backbone"))


def told_by_a_token(count: int = 40) -> list[StepTree]:
    """Trees whose steps are right where they hold the word "good"."""
    draw = random.Random(0)
    made = []
    for number in range(count):
        right = [draw.random() < 0.5 for _ in range(draw.randint(1, 4))]
        steps = [(f"{draw.randrange(20)} {'good' if one else 'bad'} {draw.choice('abc')}", float(one)) for one in right]
        made.append(path_tree(f"{number % 20} + {number // 20} ?", steps))  # type: ignore[arg-type]
    return made


def train(
    name: str, out: Path, trees: list[StepTree], *, dropout: float = 0.0, length: int = 64, **fields: object
) -> TrainResult:
    settings = {
        "epochs": 1,
        "packing": "none",
        "batch_size": 8,
        "validation_share": 0.25,
        "lr": 1e-2,
        "devices": 1,
        **fields,
    }
    model = ModelConfig(name=name, head_dropout=dropout, max_length=length)
    rows = training_rows(trees, model, TrainConfig(**settings), seed=0)  # type: ignore[arg-type]
    return train_prm(rows, model, out, progress=False)


@pytest.fixture(scope="module")
def learned(name: str, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    out = tmp_path_factory.mktemp("run")
    return train(name, out, told_by_a_token(), epochs=10, dropout=0.1, lr=5e-3)


def test_training_learns_what_makes_a_step_right(learned: TrainResult) -> None:
    assert learned.metrics["loss"] < learned.history[0]["loss"] < 0.75  # log 2 = 0.69 knows nothing
    assert learned.metrics["auroc"] > 0.9
    assert learned.metrics["brier"] < 0.1


def test_the_metrics_count_the_data(learned: TrainResult) -> None:
    trees = told_by_a_token()
    assert learned.metrics["rows"] == 40
    assert learned.metrics["labels"] == sum(len(tree) for tree in trees)
    assert (learned.metrics["cut"], learned.metrics["dropped"], learned.metrics["labels_lost"]) == (0, 0, 0)
    # 30 problems are trained on: 4 batches of 8 rows an epoch.
    assert learned.metrics["steps"] == 10 * 4
    assert len(learned.history) == 10 * 2


def test_the_checkpoint_holds_the_best_weights(learned: TrainResult) -> None:
    assert learned.metrics["loss"] == min(record["loss"] for record in learned.history)
    loaded = load_prm(learned.checkpoint)
    assert loaded.meta.label_source == "human"
    assert loaded.meta.max_length == 64
    ids, ends = loaded.encoder.path_ids(told_by_a_token()[0].problem, ["3 good a", "4 bad a"])
    with torch.no_grad():
        good, bad = loaded.prm(torch.tensor([ids]), torch.ones(1, len(ids)), torch.tensor([ends]))[0].sigmoid()
    assert good > 0.5 > bad


def test_the_history_is_a_table(learned: TrainResult) -> None:
    with (learned.checkpoint.parent / "history.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [float(row["loss"]) for row in rows] == [record["loss"] for record in learned.history]
    left = sorted(entry.name for entry in learned.checkpoint.parent.iterdir())
    assert left == ["checkpoint", "curve.png", "history.csv"]


def test_a_seed_gives_one_training(name: str, tmp_path: Path) -> None:
    first, again = (train(name, tmp_path / run, told_by_a_token(), dropout=0.3) for run in "ab")
    assert [record["loss"] for record in first.history] == [record["loss"] for record in again.history]


def weights(result: TrainResult) -> dict[str, Tensor]:
    return load_prm(result.checkpoint).prm.state_dict()


def test_accumulation_gives_the_gradient_of_the_whole_batch(name: str, tmp_path: Path) -> None:
    # 1 to 4 labels a row: a mean of batch means would weigh them unequally.
    trees = told_by_a_token()
    fields = {"validations_per_epoch": 1, "lr": 1e-3, "clip_norm": 1e9}
    whole = train(name, tmp_path / "whole", trees, batch_size=30, **fields)
    parts = train(name, tmp_path / "parts", trees, batch_size=1, accumulate=30, **fields)
    assert whole.metrics["steps"] == parts.metrics["steps"] == 1
    assert whole.history[0]["train_loss"] == pytest.approx(parts.history[0]["train_loss"], abs=1e-5)
    # One step of AdamW moves a weight by lr * sign(gradient) or so; equal gradients move it equally.
    for (key, one), other in zip(weights(whole).items(), weights(parts).values(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=0, msg=lambda text, key=key: f"{key}: {text}")


def test_a_loss_that_is_no_number_names_its_batch(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        PRM, "forward", lambda self, ids, mask, ends, packing: self.score[2].bias * torch.nan + 0.0 * ends
    )
    with pytest.raises(RunError, match="not finite in batch 0 of epoch 0"):
        train(name, tmp_path, told_by_a_token())
    assert not (tmp_path / "checkpoint").exists()


def test_ctrl_c_is_passed_on(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def press(*args: object) -> None:
        raise KeyboardInterrupt

    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(PRM, "forward", press)
    with pytest.raises(KeyboardInterrupt):
        train(name, tmp_path, told_by_a_token())
    assert signal.getsignal(signal.SIGINT) is handler


def test_recomputed_activations_change_nothing(name: str, tmp_path: Path) -> None:
    stored = train(name, tmp_path / "a", told_by_a_token())
    recomputed = train(name, tmp_path / "b", told_by_a_token(), gradient_checkpointing=True)
    for one, other in zip(stored.history, recomputed.history, strict=True):
        assert one["loss"] == pytest.approx(other["loss"], abs=1e-5)


@pytest.mark.parametrize(("precision", "stored"), [("bf16-mixed", torch.float32), ("bf16-true", torch.bfloat16)])
def test_the_checkpoint_has_the_precision_of_the_weights(
    name: str, tmp_path: Path, precision: str, stored: torch.dtype
) -> None:
    result = train(name, tmp_path, told_by_a_token(), precision=precision)
    loaded = load_prm(result.checkpoint)
    assert {parameter.dtype for parameter in loaded.prm.parameters()} == {stored}


def test_nothing_is_said_where_no_progress_is_wanted(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    train(name, tmp_path, told_by_a_token())
    assert capfd.readouterr() == ("", "")


def test_a_checkpoint_is_never_written_over(name: str, tmp_path: Path) -> None:
    (tmp_path / "checkpoint").mkdir()
    with pytest.raises(InputError, match="the folder exists"):
        train(name, tmp_path, told_by_a_token())


@pytest.mark.parametrize(
    ("trees", "length", "message"),
    [
        ([path_tree("1 ?", [("1", None)])], 64, "no step has a label"),
        ([path_tree(f"{n} ?", [("1", 1.0)]) for n in range(4)], 64, "all labels are the same"),
        (told_by_a_token(), 8, "every label stands beyond the length limit"),
        ([path_tree("1 + 2 + 3 + 4 + 5 ?", [("1", 1.0)])], 8, "every label stands beyond the length limit"),
    ],
)
def test_trees_that_cannot_be_learned_from_are_refused(
    name: str, tmp_path: Path, trees: list[StepTree], length: int, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        train(name, tmp_path, trees, length=length)


def test_more_devices_than_there_are_is_an_input_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"train\.devices: this machine has fewer devices, got 999; expected at most"):
        train(name, tmp_path, told_by_a_token(), devices=999)


def test_the_batch_of_a_loss_that_is_no_number_is_kept(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        PRM, "forward", lambda self, ids, mask, ends, packing: self.score[2].bias * torch.nan + 0.0 * ends
    )
    with pytest.raises(RunError, match=r"The batch is in .*bad_batch\.pt"):
        train(name, tmp_path, told_by_a_token())
    kept = torch.load(tmp_path / "bad_batch.pt", weights_only=True)
    assert len(kept["problems"]) == len(kept["ids_BT"]) == 8


def test_the_head_warms_up_alone(name: str, tmp_path: Path) -> None:
    fields: dict[str, object] = {"validations_per_epoch": 1, "head_lr": 1e-2, "lr": 1e-3}
    result = train(name, tmp_path / "half", told_by_a_token(), epochs=2, head_warmup=0.99, **fields)
    before = PRM.from_backbone(name, ModelConfig(name=name, max_length=64)).model.state_dict()
    after = load_prm(result.checkpoint).prm
    # 8 steps, all of the head alone: the backbone is what it was, and the loss fell.
    assert all(torch.equal(before[key], value) for key, value in after.model.state_dict().items())
    assert result.history[-1]["train_loss"] < result.history[0]["train_loss"]


@pytest.mark.parametrize("loss", ["mse", "pqm"])
def test_other_losses_learn_too(name: str, tmp_path: Path, loss: str) -> None:
    result = train(name, tmp_path, told_by_a_token(), epochs=6, loss=loss, monitor="auroc", packing="tree")
    assert result.metrics["auroc"] > 0.75


def test_a_metric_that_the_held_out_labels_cannot_tell_is_refused(name: str, tmp_path: Path) -> None:
    trees = [path_tree(f"{n} ?", [("1", float(n == 0))]) for n in range(8)]
    with pytest.raises(InputError, match="the held-out labels are of one kind, so auroc says nothing"):
        train(name, tmp_path, trees, monitor="auroc", validation_share=0.1)


def test_a_prm_that_is_asked_by_the_chat_template_is_asked_alike_in_training_and_afterwards(tmp_path: Path) -> None:
    name = tiny_backbone(tmp_path / "backbone", tokenizer=tiny_bpe_tokenizer(), context=512)
    file = tmp_path / "chat.jinja"  # which tells the date, and is not where the PRM is used
    file.write_text((TEMPLATES / "smollm3.jinja").read_text())
    format = StepFormat(template="chat", template_file=str(file), template_arguments={"enable_thinking": False})
    model = ModelConfig(name=name, format=format, max_length=512)
    config = TrainConfig(epochs=1, packing="none", batch_size=16, validation_share=0.25, devices=1)
    rows = training_rows(told_by_a_token(), model, config, seed=0)
    result = train_prm(rows, model, tmp_path / "run", progress=False)
    assert result.metrics["steps"] == 2
    file.unlink()

    loaded = load_prm(result.checkpoint)
    assert str(tmp_path) not in (result.checkpoint / "prmkit.json").read_text()
    assert loaded.meta.format == loaded.encoder.format == rows.encoder.format
    assert loaded.meta.format.date == rows.encoder.prompter.date
    problem = told_by_a_token()[0].problem
    ids, ends = loaded.encoder.path_ids(problem, ["3 good a", "4 bad a"])
    assert (ids, ends) == rows.encoder.path_ids(problem, ["3 good a", "4 bad a"])
    assert loaded.encoder.tokenizer.decode(ids).endswith(
        f"<|im_start|>user\n{problem.prompt}<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n3 good a\n4 bad a\n"
    )
    trained = [row.ids for row in (*rows.train_rows, *rows.validation_rows)]
    assert any(
        list(row[: len(loaded.encoder.problem_ids(problem))]) == loaded.encoder.problem_ids(problem) for row in trained
    )

    scorer, label_source = load_scorer(PrmConfig(checkpoint=str(result.checkpoint)))
    tree = StepTree.from_steps(problem, ["3 good a", "4 bad a"])
    scores = asyncio.run(scorer.score(tree, range(len(tree)))).values
    with torch.no_grad():
        expected = loaded.prm(torch.tensor([ids]), torch.ones(1, len(ids), dtype=torch.long), torch.tensor([ends]))
    assert label_source == "human"
    assert scores == pytest.approx(expected.sigmoid()[0].tolist(), abs=1e-5)


@pytest.mark.parametrize("packing", ["tree", "sequence"])
@pytest.mark.parametrize("kind", WINDOWED)
def test_packed_training_is_unpacked_training_whatever_layers_see(kind: str, packing: str, tmp_path: Path) -> None:
    name = tiny_folder(kind, tmp_path / "backbone")
    trees = told_by_a_token(12)
    settings = {"lr": 1e-3, "batch_size": 64, "pack_tokens": 200}
    alone = train(name, tmp_path / "alone", trees, **settings)
    packed = train(name, tmp_path / "packed", trees, packing=packing, **settings)
    # Beyond the window of 8: the loss of weights that have seen every label once, on problems that were held out.
    assert packed.metrics["loss"] == pytest.approx(alone.metrics["loss"], rel=2e-4)
    weights = [load_prm(one.checkpoint).prm.score[0].weight for one in (alone, packed)]
    torch.testing.assert_close(weights[1], weights[0], rtol=1e-3, atol=1e-4)


def test_layers_that_carry_a_state_are_trained_unpacked_and_it_is_said_before_anything_is_read(tmp_path: Path) -> None:
    name = tiny_folder("lfm2", tmp_path / "backbone")
    with pytest.raises(InputError, match=r"train\.packing: .*lfm2.*Set train\.packing: none"):
        train(name, tmp_path / "packed", told_by_a_token(12), packing="tree")
    result = train(name, tmp_path / "alone", told_by_a_token(12))
    assert load_prm(result.checkpoint).prm.model.config.model_type == "lfm2"
