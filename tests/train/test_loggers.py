import csv
from pathlib import Path
from types import SimpleNamespace

import pytest

from prmkit.errors import InputError
from prmkit.train.loggers import _FinishedWandbLogger, loggers_of
from tests.tiny import tiny_backbone
from tests.train.test_fit import told_by_a_token, train


@pytest.fixture(scope="module")
def name(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tiny_backbone(tmp_path_factory.mktemp("backbone"))


def log(out: Path, steps: range, *, resumed: Path | None = None) -> None:
    (logger,) = loggers_of(("csv",), out, resumed=resumed)
    for step in steps:
        logger.log_metrics({"loss": step / 10}, step)
    logger.save()


def logged(out: Path, version: str) -> list[tuple[str, str]]:
    with (out / "logs" / "csv" / version / "metrics.csv").open() as file:
        return [(row["step"], row["loss"]) for row in csv.DictReader(file)]


def test_no_name_is_no_logger(tmp_path: Path) -> None:
    assert loggers_of((), tmp_path, resumed=None) == []
    assert list(tmp_path.iterdir()) == []


def test_a_training_that_goes_on_writes_beside_what_is_there(tmp_path: Path) -> None:
    log(tmp_path, range(1, 4))
    log(tmp_path, range(3, 5), resumed=tmp_path / "state" / "step-2")
    assert logged(tmp_path, "step-0") == [("1", "0.1"), ("2", "0.2"), ("3", "0.3")]
    assert logged(tmp_path, "step-2") == [("3", "0.3"), ("4", "0.4")]


@pytest.mark.filterwarnings("ignore:Experiment logs directory")
def test_a_training_that_goes_on_twice_from_one_state_has_each_step_once(tmp_path: Path) -> None:
    for last in (4, 6):
        log(tmp_path, range(3, last), resumed=tmp_path / "state" / "step-2")
    assert logged(tmp_path, "step-2") == [("3", "0.3"), ("4", "0.4"), ("5", "0.5")]


@pytest.mark.parametrize(("status", "code"), [("success", 0), ("failed", 1), ("interrupted", 1)])
def test_a_wandb_run_ends_with_its_training(status: str, code: int) -> None:
    """Made without its constructor, which asks for the package."""
    codes: list[int] = []
    logger = _FinishedWandbLogger.__new__(_FinishedWandbLogger)
    logger._experiment = SimpleNamespace(finish=lambda exit_code: codes.append(exit_code))
    logger._checkpoint_callbacks = {}
    logger.finalize(status)
    assert codes == [code]


def test_a_wandb_run_that_never_began_is_not_ended() -> None:
    logger = _FinishedWandbLogger.__new__(_FinishedWandbLogger)
    logger._experiment, logger._checkpoint_callbacks = None, {}
    logger.finalize("failed")
    assert logger._experiment is None


@pytest.mark.parametrize(
    ("logger", "made_by"), [("wandb", "_FinishedWandbLogger"), ("tensorboard", "TensorBoardLogger")]
)
def test_a_logger_that_is_not_installed_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logger: str, made_by: str
) -> None:
    def missing(*args: object, **kwargs: object) -> None:
        raise ModuleNotFoundError(f"no {logger}")

    monkeypatch.setattr(f"prmkit.train.loggers.{made_by}", missing)
    message = rf"train\.loggers: the logger {logger} is not installed\. pip install 'prmkit\[loggers\]'"
    with pytest.raises(InputError, match=message):
        loggers_of(("csv", logger), tmp_path, resumed=None)


def test_a_training_without_its_logger_does_not_begin(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*args: object, **kwargs: object) -> None:
        raise ModuleNotFoundError("no wandb")

    monkeypatch.setattr("prmkit.train.loggers._FinishedWandbLogger", missing)
    with pytest.raises(InputError, match="the logger wandb is not installed"):
        train(name, tmp_path, told_by_a_token(), loggers=("wandb",))
    assert not (tmp_path / "history.csv").exists()


@pytest.mark.slow
def test_tensorboard_and_wandb_get_every_step(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("wandb", reason="needs prmkit[loggers]")
    events_of = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="as above")
    monkeypatch.setenv("WANDB_MODE", "offline")

    result = train(name, tmp_path, told_by_a_token(), loggers=("tensorboard", "wandb"), log_every=1)
    events = events_of.EventAccumulator(str(tmp_path / "logs" / "tensorboard" / "step-0")).Reload()
    losses = events.Scalars("train/train_loss")
    assert [event.step for event in losses] == list(range(1, int(result.metrics["steps"]) + 1))
    (written,) = tmp_path.glob("logs/wandb/offline-run-*/*.wandb")
    assert b"train/train_loss" in written.read_bytes()
