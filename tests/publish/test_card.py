"""The card says what the run folders say, and its code blocks run."""

import re
from pathlib import Path

import pytest
import torch
from huggingface_hub import ModelCard

from prmkit.errors import InputError
from prmkit.models.checkpoint import CheckpointMeta, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat
from prmkit.publish.card import card_of, write_card
from prmkit.run.folder import RunFolder
from prmkit.tree import Problem
from tests.packing.families import DAY, TEMPLATES
from tests.publish.conftest import finished_run, save_tiny_prm
from tests.report.runs import estimate, searched
from tests.tiny import tiny_backbone, tiny_bpe_tokenizer


def blocks(card: ModelCard) -> list[str]:
    return re.findall(r"```python\n(.*?)```", card.text, flags=re.S)


def test_the_front_matter_is_what_the_hub_reads(training: Path, search: Path) -> None:
    path = write_card(training / "checkpoint", runs=[search], license="apache-2.0")
    data = ModelCard.load(path).data
    assert (data.library_name, data.pipeline_tag, data.license) == ("prmkit", "token-classification", "apache-2.0")
    assert data.base_model == "Qwen/Qwen2.5-0.5B-Instruct"
    assert data.datasets == ["org/prm"]
    assert {"process-reward-model", "qwen2", "monte-carlo"} <= set(data.tags)
    assert data.model_name == "my-prm"
    shown = {(one.dataset_type, one.metric_name): one.metric_value for one in data.eval_results}
    assert shown["gsm8k", "accuracy"] == "79.6 ± 2.6 %"
    assert shown["gsm8k", "prm@8 - maj@8"] == "28.4 ± 3.7 points"
    assert shown["gsm8k", "AUC within a problem"] == "0.869 ± 0.016"
    assert shown["trees (trees.jsonl)", "AUROC"] == "0.910"
    assert ("gsm8k", "prm@4") not in shown  # only the largest number of samples


def test_no_license_no_license(training: Path) -> None:
    assert "license" not in card_of(training / "checkpoint").data.to_dict()


def test_data_recipe_cost_and_limits_are_those_of_the_run(training: Path) -> None:
    text = card_of(training / "checkpoint").text
    for row in (
        "| rows read | 1,200 |",
        "| quarantined, since they were faulty | 7 |",
        "| steps with a label | 8,000 |",
        "| labels lost by that | 5 |",
        "| `train.lr` | `0.00003` |",
        '| `model.format.step_end` | `"\\n"` |',
        "| tokens | 123,456 |",
        "| training FLOPs | 2.5e+15 |",
        "| hours | 1.50 |",
        "| score of a solution, by default | last |",
        "It has learned from `gsm8k` (split = train) and `prm800k`.",
        "A solution longer than 256 tokens cannot be scored.",
    ):
        assert row in text
    recipe = RunFolder(training).read_record()["recipe"]
    assert all(f"| `train.{key}` |" in text for key in recipe["train"])


def test_the_folders_of_this_machine_stay_here(training: Path, stepwise: Path, tmp_path: Path) -> None:
    card = str(card_of(training / "checkpoint", runs=[stepwise]))
    assert str(tmp_path) not in card
    assert "/home/bob" not in card
    assert "/data/bob" not in card
    assert "| `data.path` | `trees.jsonl` |" in card


def test_step_evaluations_have_their_errors_and_their_threshold(training: Path, stepwise: Path) -> None:
    text = card_of(training / "checkpoint", runs=[stepwise]).text
    how = "processbench (math.json) | threshold 0.5, fixed beforehand"
    assert f"| {how} | first-error F1 | 61.2 ± 2.1 % | 400 solutions |" in text
    assert f"| {how} | step AUC | 0.880 ± 0.011 | 400 solutions |" in text


def test_a_search_that_was_not_evaluated_has_its_accuracy(training: Path, search: Path) -> None:
    RunFolder(search).evaluation.unlink()
    text = card_of(training / "checkpoint", runs=[search]).text
    assert "79.6 ± 2.6 %" in text
    assert "prm@8" not in text


def test_the_name_of_a_benchmark_is_text_and_no_link(training: Path, search: Path) -> None:
    run = RunFolder(search)
    name = "![x](https://evil.example/p.png)|<b>"
    result = searched("best-of-n", name, estimate(0.5, 0.1, 9))
    hostile = finished_run(search.parent / "hostile", run.read_record()["recipe"], result)
    text = card_of(training / "checkpoint", runs=[hostile.path]).text
    assert "| \\!\\[x\\](https://evil.example/p.png)\\|\\<b\\>" in text


def test_a_checkpoint_that_stands_alone_says_so(tmp_path: Path) -> None:
    save_tiny_prm(tmp_path / "alone", label_source="human+judge")
    card = card_of(tmp_path / "alone")
    assert "Not known here" in card.text
    assert "name one (`scorer.aggregation`)" in card.text
    assert "of several kinds (human+judge)" in card.text
    assert card.data.model_name == "alone"
    assert card.data.base_model is None


def test_a_card_is_not_written_over(training: Path) -> None:
    write_card(training / "checkpoint")
    with pytest.raises(InputError, match="has a card"):
        write_card(training / "checkpoint")
    write_card(training / "checkpoint", overwrite=True)


def test_hostile_names_stay_text(tmp_path: Path) -> None:
    save_tiny_prm(tmp_path / "prm")
    card = card_of(tmp_path / "prm", repository="me/{{ 7 * 7 }}")
    assert "49" not in card.text.partition("## How")[0]


@pytest.mark.filterwarnings("ignore")
def test_its_code_gives_the_same_scores_with_prmkit_and_without(
    training: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = training / "checkpoint"
    ours, plain, _ = blocks(card_of(folder, repository=str(folder)))
    exec(ours, {})
    expected = [float(value) for value in capsys.readouterr().out.strip("()\n ").split(",")]
    names: dict[str, list[float]] = {}
    exec(plain, names)
    assert names["scores"] == pytest.approx(expected, abs=1e-6)
    assert abs(expected[0] - expected[1]) > 1e-3  # the steps are told apart


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("system", [None, 'Say "four".'])
def test_its_code_asks_by_the_chat_template_as_prmkit_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], system: str | None
) -> None:
    tokenizer = tiny_bpe_tokenizer()
    name = tiny_backbone(tmp_path / "backbone", tokenizer=tokenizer, context=512)
    template = str(TEMPLATES / "smollm3.jinja")
    arguments: dict[str, bool | int | float | str] = {"enable_thinking": False}
    format = StepFormat(template="chat", template_file=template, system=system, template_arguments=arguments, date=DAY)
    encoder = StepEncoder(tokenizer, format)
    prm = PRM.from_backbone(name, ModelConfig(name=name, max_length=512))
    torch.nn.init.normal_(prm.score[2].weight)
    meta = CheckpointMeta(format=encoder.format, label_source="human", max_length=512)
    save_prm(prm, encoder.tokenizer, tmp_path / "prm", meta)

    card = card_of(tmp_path / "prm", repository=str(tmp_path / "prm"))
    assert "Today Date: 29 November 2026" in card.text
    assert r"{problem}<\|im_end\|>" in card.text  # in a cell of a table
    assert "`, the chat template of its tokenizer |" in card.text
    ours, plain, _ = blocks(card)
    exec(ours, {})
    expected = [float(value) for value in capsys.readouterr().out.strip("()\n ").split(",")]
    names: dict[str, list[float]] = {}
    exec(plain, names)
    assert names["ids"] == encoder.path_ids(Problem(id="1", prompt="What is 1 + 1 + 1?"), ["1 + 1 = 2", "2 + 1 = 3"])[0]
    assert names["scores"] == pytest.approx(expected, abs=1e-6)


@pytest.mark.vllm
def test_its_code_gives_the_same_scores_in_vllm(vllm_cpu: None, prm_folder: Path) -> None:
    _, plain, vllm = blocks(card_of(prm_folder, repository=str(prm_folder)))
    names: dict[str, list[float]] = {}
    exec(plain, names)
    expected = list(names["scores"])
    exec(vllm.replace('runner="pooling"', 'runner="pooling", enforce_eager=True'), names)
    assert names["scores"] == pytest.approx(expected, abs=1e-4)
