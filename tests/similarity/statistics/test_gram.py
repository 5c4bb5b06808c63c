from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from prmkit.errors import InputError
from prmkit.similarity.statistics.gram import PatternGram
from tests.similarity.grams import gram_of

GRAM = gram_of([(1.0, 0.0), (0.6, 0.8)], {"one": (0,), "two": (0, 1)}, ["p", "q"], correct=[True, None])


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    GRAM.save(tmp_path / "gram")
    loaded = PatternGram.load(tmp_path / "gram")
    np.testing.assert_array_equal(loaded.grams, GRAM.grams)
    np.testing.assert_array_equal(loaded.l1, GRAM.l1)
    assert (loaded.sets, loaded.problem_ids, loaded.layers) == (GRAM.sets, GRAM.problem_ids, GRAM.layers)
    assert (loaded.kinds, loaded.lengths, loaded.correct) == (("mlp",), (1, 1), (True, None))
    with pytest.raises(InputError, match="the folder exists"):
        GRAM.save(tmp_path / "gram")


@pytest.mark.parametrize("name", ["gram.json", "gram.safetensors"])
@pytest.mark.parametrize("content", [None, b"{", b'{"schema": 1}', b"[]"])
def test_a_broken_folder_is_one_error(tmp_path: Path, name: str, content: bytes | None) -> None:
    GRAM.save(tmp_path / "gram")
    if content is None:
        (tmp_path / "gram" / name).unlink()
    else:
        (tmp_path / "gram" / name).write_bytes(content)
    with pytest.raises(InputError, match=r"gram"):
        PatternGram.load(tmp_path / "gram")


def test_parts_must_fit_together() -> None:
    with pytest.raises(InputError, match="do not fit together"):
        replace(GRAM, problem_ids=("p",))
    with pytest.raises(InputError, match="a set names a response that is not there; expected rows 0 to 1"):
        replace(GRAM, sets={"one": (2,)})


def test_baselines_are_kept_beside_it(tmp_path: Path) -> None:
    replace(GRAM, baselines={"n-gram overlap": np.eye(2)}).save(tmp_path / "gram")
    np.testing.assert_array_equal(PatternGram.load(tmp_path / "gram").baselines["n-gram overlap"], np.eye(2))
    with pytest.raises(InputError, match="do not fit together"):
        replace(GRAM, baselines={"hidden": np.eye(3)})
