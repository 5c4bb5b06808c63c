import math
import os
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import PreTrainedModel

from prmkit.errors import InputError
from prmkit.run.results import read_result, write_result
from prmkit.similarity.comparison import run_similarity, sets_that_fit
from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.presets import PRESETS
from prmkit.similarity.response import Response
from prmkit.similarity.result import SimilarityResult
from prmkit.similarity.statistics.gram import PatternGram
from prmkit.similarity.statistics.table import statistics

RANKS = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


@pytest.fixture(autouse=True)
def nobody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """No launcher numbered this process."""
    for name in (*RANKS, *("SLURM_PROCID", "SLURM_NODELIST", "SLURM_JOB_ID", "SLURM_NTASKS", "SLURM_STEP_NUM_TASKS")):
        monkeypatch.delenv(name, raising=False)


def run(
    model: Any,
    responses: list[Response],
    folder: Path,
    *,
    baselines: Any = (),
    reads: list[int] | None = None,
    **options: Any,
) -> SimilarityResult | None:
    """``reads`` gets the batches that were differentiated."""

    def progress(total: int) -> Any:
        return nullcontext(lambda: reads.append(1) if reads is not None else None)

    sets = {"all": responses, "chosen": responses[1::2]}
    config = SimilarityConfig(**options)
    return run_similarity(model, sets, config, folder, baselines=baselines, draws=50, seed=0, progress=progress)


def found_by(*given: Any, **options: Any) -> SimilarityResult:
    """What the first process of a run returns."""
    result = run(*given, **options)
    assert result is not None
    return result


def without_seconds(result: SimilarityResult) -> dict[str, Any]:
    return {name: value for name, value in result.as_json().items() if name != "seconds"}


def test_the_gram_is_kept_and_the_statistics_follow_from_it(
    model: PreTrainedModel, responses: list[Response], tmp_path: Path
) -> None:
    result = found_by(model, responses, tmp_path, baselines=["ngram"])
    assert [entry.name for entry in tmp_path.iterdir()] == ["gram"]
    gram = PatternGram.load(tmp_path / "gram")
    expected = statistics(gram, seed=0, draws=50).as_json()
    assert result.as_json().items() >= expected.items()
    assert result.responses == {"all": 4, "chosen": 2}
    assert list(gram.baselines) == ["n-grams"]
    assert {row.baseline for row in result.baselines} == {"n-grams"}
    assert result.origin == gram.origin


@pytest.mark.parametrize("engine", ["auto", "mean"])
def test_a_result_is_read_as_it_was_written(
    model: PreTrainedModel, responses: list[Response], tmp_path: Path, engine: str
) -> None:
    """Of one problem each, so that errors are not known."""
    result = found_by(model, responses[:2], tmp_path, engine=engine, preset="paper")
    write_result(tmp_path / "metrics.json", result)
    read = read_result(tmp_path / "metrics.json", SimilarityResult)
    assert [(row.first, row.second) for row in read.table] == [("all", "all"), ("all", "chosen")]
    assert all(math.isnan(row.stderr) for row in read.table)
    assert read.as_json() == result.as_json()


def test_a_preset_says_what_of_it_is_known(model: PreTrainedModel, responses: list[Response], tmp_path: Path) -> None:
    result = found_by(model, responses, tmp_path / "paper", preset="paper")
    assert result.known == list(PRESETS["paper"].known)
    assert result.inferred == list(PRESETS["paper"].inferred)
    own = found_by(model, responses, tmp_path / "own")
    assert (own.known, own.inferred) == ([], [])


def test_a_gram_that_is_there_is_read_and_no_model(
    model: PreTrainedModel, responses: list[Response], tmp_path: Path
) -> None:
    first = found_by(model, responses, tmp_path)
    again = found_by(None, responses, tmp_path)
    assert without_seconds(again) == without_seconds(first)


def test_means_have_no_gram(model: PreTrainedModel, responses: list[Response], tmp_path: Path) -> None:
    result = found_by(model, responses, tmp_path, engine="mean")
    assert [(row.first, row.second) for row in result.table] == [
        ("all", "all"),
        ("all", "chosen"),
        ("chosen", "chosen"),
    ]
    assert (result.profile, result.random_selection, result.texts) == ([], [], [])
    assert list(tmp_path.iterdir()) == []
    table = found_by(model, responses, tmp_path / "gram", engine="hooks").table
    assert [row.mean for row in result.table] == pytest.approx([row.mean for row in table], rel=1e-5)


def test_a_run_that_was_killed_after_its_parts_reads_nothing_again(
    model: PreTrainedModel, responses: list[Response], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(*args: object) -> None:
        raise KeyboardInterrupt

    reads: list[int] = []
    with monkeypatch.context() as patched:
        patched.setattr("prmkit.similarity.comparison.baseline_kernels", die)
        with pytest.raises(KeyboardInterrupt):
            run(model, responses, tmp_path, reads=reads)
    assert reads
    assert [entry.name for entry in tmp_path.iterdir()] == ["parts"]
    reads.clear()
    again = found_by(model, responses, tmp_path, reads=reads)
    assert not reads
    assert without_seconds(again) == without_seconds(found_by(model, responses[:4], tmp_path / "whole"))


def test_parts_that_a_kill_left_beside_the_gram_are_removed(
    model: PreTrainedModel, responses: list[Response], tmp_path: Path
) -> None:
    run(model, responses, tmp_path)
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "part-0000.layer-0-of-1.safetensors").touch()
    run(None, responses, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["gram"]


def test_half_a_gram_is_no_gram(model: PreTrainedModel, responses: list[Response], tmp_path: Path) -> None:
    """Killed while it was written: the folder has its name only when it is whole."""
    (tmp_path / "gram.partial").mkdir(parents=True)
    (tmp_path / "gram.partial" / "gram.json").write_text("{")
    run(model, responses, tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["gram"]


def test_an_empty_set_is_refused_and_leaves_nothing(model: PreTrainedModel, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="all: empty set of responses"):
        run(model, [], tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def barriers(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    waited: list[None] = []
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "barrier", lambda: waited.append(None))
    return waited


def as_process(monkeypatch: pytest.MonkeyPatch, rank: int) -> None:
    monkeypatch.setenv("RANK", str(rank))
    monkeypatch.setenv("WORLD_SIZE", "2")


def test_of_several_processes_the_first_returns_the_statistics(
    model: PreTrainedModel,
    responses: list[Response],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    barriers: list[None],
) -> None:
    alone = found_by(model, responses, tmp_path / "alone")
    found: dict[int, SimilarityResult | None] = {}
    for rank in (1, 0):  # the first adds up what the second has left
        as_process(monkeypatch, rank)
        found[rank] = run(model, responses, tmp_path / "both")
    assert found[1] is None
    assert found[0] is not None
    assert found[0].table == alone.table
    assert len(barriers) == 2 * 2  # before the folder is looked at, and after the parts
    # So too where the run is done already, and only its statistics are asked for again.
    for rank in (1, 0):
        as_process(monkeypatch, rank)
        found[rank] = run(None, responses, tmp_path / "both")
    assert found[1] is None
    assert found[0] is not None
    assert found[0].table == alone.table


@pytest.mark.parametrize(
    ("environment", "address"),
    [
        ({"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "there", "MASTER_PORT": "99"}, ("there", "99")),  # torchrun
        (
            {
                "SLURM_PROCID": "1",
                "SLURM_STEP_NUM_TASKS": "2",
                "SLURM_NODELIST": "node[07-09]",
                "SLURM_JOB_ID": "1234567",
            },
            ("node07", "19567"),  # the first node, and 15,000 and the last digits of the job
        ),
    ],
)
def test_processes_meet_where_their_launcher_says(
    responses: list[Response],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    address: tuple[str, str],
) -> None:
    class Met(Exception):
        pass

    calls: list[dict[str, Any]] = []

    def init(backend: str, **options: Any) -> None:
        calls.append({"backend": backend, **options})
        raise Met

    monkeypatch.setattr(torch.distributed, "init_process_group", init)
    monkeypatch.setattr(os, "environ", os.environ | environment)
    with pytest.raises(Met):
        run(None, responses, tmp_path)
    (call,) = calls
    assert (call["backend"], call["rank"], call["world_size"]) == ("gloo", 1, 2)
    # Parts may take days, and who is done early waits for the others.
    assert call["timeout"].days == 7
    assert (os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"]) == address


def test_what_is_longer_than_the_models_context_is_left_out_counted_and_told(
    model: PreTrainedModel, responses: list[Response], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    context = model.config.max_position_embeddings
    long = Response(problem_id="long", ids=(4,) * (context + 1), prompt_length=2, text="long")
    ended = Response(problem_id="ended", ids=(4,) * context + (model.config.eos_token_id,), prompt_length=2, text="x")
    sets, too_long = sets_that_fit(model, {"all": [long, *responses, ended, long], "chosen": responses})
    assert sets == {"all": [*responses, ended], "chosen": responses}
    assert too_long == {"all": 2}
    assert caplog.messages == ["all: 2 responses are longer than the context of the reference model, and left out"]
    with pytest.raises(InputError, match="all: every response is longer than the context of the reference model"):
        sets_that_fit(model, {"all": [long]})
    config = SimilarityConfig()
    found = run_similarity(model, sets, config, tmp_path, baselines=(), draws=50, seed=0, too_long=too_long)
    assert found is not None
    assert found.too_long == {"all": 2}
