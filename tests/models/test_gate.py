from pathlib import Path

import pytest
import torch
from transformers import AutoConfig, PretrainedConfig, PreTrainedModel

from prmkit.models.gate import Answer, find, first_that_agrees, relative
from prmkit.run.checks import noting

LLAMA = AutoConfig.for_model("llama", hidden_size=8192)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRMKIT_CACHE", str(tmp_path / "cache"))


class Look:
    """Counts how often it looks."""

    def __init__(self, answer: Answer = (1e-6, "sdpa", None)) -> None:
        self.answer, self.seen = answer, list[PreTrainedModel]()

    def __call__(self, model: PreTrainedModel) -> Answer:
        self.seen.append(model)
        return self.answer


def test_a_small_model_of_the_kind_is_looked_at_once() -> None:
    look = Look()
    first = find("who?", LLAMA, look)
    assert (first.architecture, first.difference, first.chosen, first.fault) == ("llama", 1e-6, "sdpa", None)
    assert find("who?", LLAMA, look) == first
    (model,) = look.seen
    assert type(model).__name__ == "LlamaModel"
    assert model.num_parameters() < 200_000
    assert not model.training


def test_it_is_looked_at_again_where_question_settings_or_architecture_differ() -> None:
    look = Look()
    find("who?", LLAMA, look)
    find("what?", LLAMA, look)
    find("who?", LLAMA, look, by="tree")
    find("who?", AutoConfig.for_model("qwen2"), look)
    assert len(look.seen) == 4
    find("who?", AutoConfig.for_model("llama", hidden_size=4096, vocab_size=999), look)  # another size, the same kind
    assert len(look.seen) == 4


def test_another_version_of_what_decides_looks_again(monkeypatch: pytest.MonkeyPatch) -> None:
    look = Look()
    find("who?", LLAMA, look)
    monkeypatch.setattr("prmkit.models.gate.versions", lambda: {"transformers": "99"})
    find("who?", LLAMA, look)
    assert len(look.seen) == 2


@pytest.mark.parametrize(
    ("error", "fault"),
    [
        (RuntimeError("sizes\ndiffer"), "sizes"),
        (TypeError("no such argument"), "TypeError: no such argument"),
        (IndexError("7"), "IndexError: 7"),
        (AssertionError(), "AssertionError"),
        (ValueError(), "ValueError"),
    ],
)
def test_a_model_that_fails_has_answered(error: Exception, fault: str) -> None:
    def look(model: PreTrainedModel) -> Answer:
        raise error

    finding = find("who?", LLAMA, look)
    assert (finding.chosen, finding.fault) == (None, fault)


def test_a_full_memory_says_nothing_of_the_architecture() -> None:
    def look(model: PreTrainedModel) -> Answer:
        return first_that_agrees(("sdpa",), full, "off by {}")

    def full(way: str) -> float:
        raise torch.OutOfMemoryError("CUDA out of memory")

    with pytest.raises(torch.OutOfMemoryError):
        find("who?", LLAMA, look)
    assert find("who?", LLAMA, Look()).chosen == "sdpa"


def test_a_kind_of_which_no_small_model_can_be_made_has_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    def likeness(config: PretrainedConfig) -> PretrainedConfig:
        raise ValueError("layers that nobody knows")

    monkeypatch.setattr("prmkit.models.gate.likeness", likeness)
    finding = find("who?", LLAMA, Look())
    assert (finding.chosen, finding.fault) == (None, "layers that nobody knows")


@pytest.mark.parametrize("left", [b"", b"{", b'{"question": 1}', b"\xff"])
def test_a_torn_record_is_written_anew(tmp_path: Path, left: bytes) -> None:
    look = Look()
    find("who?", LLAMA, look)
    (place,) = (tmp_path / "cache" / "checks").iterdir()
    place.write_bytes(left)
    assert find("who?", LLAMA, look).chosen == "sdpa"
    assert len(look.seen) == 2
    find("who?", LLAMA, look)
    assert len(look.seen) == 2


def test_a_cache_that_cannot_be_written_costs_time_alone(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    look = Look()
    assert find("who?", LLAMA, look) == find("who?", LLAMA, look)
    assert len(look.seen) == 2


def test_what_is_found_stands_with_the_run() -> None:
    with noting() as checks:
        find("who?", LLAMA, Look())
        find("who?", LLAMA, Look())
    assert checks == [
        {
            "question": "who?",
            "architecture": "llama",
            "settings": {},
            "difference": 1e-6,
            "chosen": "sdpa",
            "fault": None,
        }
    ]


def test_who_asks_draws_what_would_have_been_drawn() -> None:
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    find("who?", LLAMA, Look())
    assert torch.equal(torch.rand(2), expected)


def test_the_first_way_that_makes_no_difference_is_chosen() -> None:
    apart = {"a": 0.5, "b": 1e-6, "c": 0.0}
    assert first_that_agrees("abc", apart.__getitem__, "off by {}") == (1e-6, "b", None)
    assert first_that_agrees("a", apart.__getitem__, "off by {}") == (0.5, None, "off by 0.5")
    assert first_that_agrees("xb", apart.__getitem__, "off by {}") == (1e-6, "b", None)
    assert first_that_agrees("x", apart.__getitem__, "off by {}") == (None, None, "KeyError: 'x'")
    assert first_that_agrees("a", lambda way: float("nan"), "off by {}")[1] is None


def test_a_difference_is_told_for_the_size_of_what_was_expected() -> None:
    assert relative(torch.tensor([3.0, 4.5]), torch.tensor([3.0, 4.0])) == pytest.approx(0.1)
