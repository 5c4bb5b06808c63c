from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.models.names import refuse_missing_folder, unloadable


@pytest.mark.parametrize("name", ["/nowhere/model", "./model", "../model", "~/model", "a/b/c"])
def test_what_is_plainly_a_path_must_be_a_folder(name: str) -> None:
    with pytest.raises(InputError, match="no such folder"):
        refuse_missing_folder(name)


def test_a_folder_must_hold_a_model_and_an_id_may_be_anything(tmp_path: Path) -> None:
    refuse_missing_folder("org/name")
    with pytest.raises(InputError, match="the folder is not a model"):
        refuse_missing_folder(str(tmp_path))
    (tmp_path / "config.json").write_text("{}")
    refuse_missing_folder(str(tmp_path))


def test_what_others_say_is_said_in_one_line() -> None:
    refused = unloadable("tokenizer", "org/name", OSError("not found\nTry something else."))
    assert str(refused).startswith("org/name: cannot load a tokenizer (not found); expected a local folder or a hub id")
    assert "(KeyError)" in str(unloadable("model", "org/name", KeyError()))
