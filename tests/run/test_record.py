from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.run.folder import RunFolder
from prmkit.run.record import check_equal, versions


@pytest.mark.parametrize(
    "secret",
    [
        {"api_key": "x"},
        {"model": {"hf_token": "x"}},
        {"url": "https://me:password@host/x"},
        {"names": ["hf_abcdefghijklmnopqrstuvwxyz"]},
    ],
)
def test_a_secret_is_refused_before_anything_is_written(tmp_path: Path, secret: dict[str, object]) -> None:
    with pytest.raises(InputError, match="looks like a secret") as error:
        RunFolder.create(tmp_path / "run", secret, seed=0)
    assert "password" not in str(error.value)
    assert not (tmp_path / "run").exists()


def test_tokens_of_text_are_no_secrets(tmp_path: Path) -> None:
    recipe = {"max_tokens": "160", "step_end": "<token>"}
    assert RunFolder.create(tmp_path / "run", recipe, seed=0).read_record()["recipe"] == recipe


def test_the_first_difference_is_named_by_its_keys(tmp_path: Path) -> None:
    check_equal("recipe", {"a": {"b": [1]}}, {"a": {"b": [1]}}, where=tmp_path)
    with pytest.raises(InputError, match=r"the recipe differs from that of the run at a\.b, got \[2\]; expected \[1\]"):
        check_equal("recipe", {"a": {"b": [1]}}, {"a": {"b": [2]}}, where=tmp_path)
    with pytest.raises(InputError, match=r"at a\.c, got 1; expected nothing"):
        check_equal("recipe", {"a": {}}, {"a": {"c": 1}}, where=tmp_path)


def test_the_versions_are_those_that_run() -> None:
    import torch

    assert versions()["torch"] == torch.__version__.partition("+")[0] or versions()["torch"] == torch.__version__


def test_a_key_that_came_later_and_says_nothing_is_no_difference(tmp_path: Path) -> None:
    check_equal("recipe", {"train": {"lr": 1}}, {"train": {"lr": 1, "workers": None}}, where=tmp_path)
    for given in ({"train": {"lr": 1, "workers": 2}}, {"train": {}}, {"train": {"lr": None}}):
        with pytest.raises(InputError, match="the recipe differs"):
            check_equal("recipe", {"train": {"lr": 1}}, given, where=tmp_path)
