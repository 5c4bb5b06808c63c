from collections.abc import Callable
from pathlib import Path
from pickle import UnpicklingError

import pytest
import torch
from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

from prmkit.errors import InputError, RunError
from prmkit.models.causes import hub_refusal, refusals


def raised(error: BaseException, folder: Path) -> Callable[[], None]:
    def fail() -> None:
        with refusals("model", "org/name", folder):
            raise error

    return fail


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (UnpicklingError("global os.system"), "holds more than tensors, and is not opened"),
        (ImportError("No module named 'sentencepiece'"), "needs a package that is not installed"),
        (ValueError("data did not match any variant of untagged enum ModelWrapper"), "cannot read the tokenizer.json"),
        (RuntimeError("size mismatch for embed_tokens.weight"), "the weights have other shapes than config.json says"),
        (ValueError("loading it requires you to execute custom code"), "is code that comes with the model"),
        (KeyError("hidden_size"), r"cannot be loaded \(no 'hidden_size'\)"),
        (AttributeError(), r"cannot be loaded \(AttributeError\)"),
    ],
)
def test_what_a_library_raises_is_one_line(error: Exception, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"^org/name: .*{said}") as refused:
        raised(error, tmp_path)()
    assert "\n" not in str(refused.value)


def test_a_file_that_is_no_json_is_named_whatever_was_raised(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(InputError, match=r"config\.json: the file is no JSON"):
        raised(AttributeError("x"), tmp_path)()


@pytest.mark.parametrize("error", [RunError("full"), InputError("odd"), MemoryError(), torch.OutOfMemoryError("full")])
def test_what_says_enough_of_itself_is_passed_on(error: Exception, tmp_path: Path) -> None:
    with pytest.raises(type(error)) as passed:
        raised(error, tmp_path)()
    assert passed.value is error


def test_the_hub_has_words_of_its_own() -> None:
    assert "neither a folder nor an id on the hub" in str(hub_refusal("a b", HFValidationError("a b")))
    assert "is not on this machine" in str(hub_refusal("org/name", LocalEntryNotFoundError("offline")))
    assert "did not give the model (odd)" in str(hub_refusal("org/name", OSError("odd")))
