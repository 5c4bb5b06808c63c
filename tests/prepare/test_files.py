from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.packing.rows import EncodedTrees, RowShape, encode_trees
from prmkit.packing.table import COLUMNS
from prmkit.prepare.files import META, Damaged, RowWriter, Texts, open_rows
from prmkit.sources.corpus import CorpusRecord, Counts
from prmkit.tree import ROOT, Label, Problem, StepTree
from tests.packing.forests import forests
from tests.tiny import path_tree, tiny_encoder

ENCODER = tiny_encoder()
SHAPE = RowShape(max_length=30, budget=40)
RECORD = CorpusRecord(**Counts().as_dict(), source="rows", path="a.jsonl", options={})


def written(folder: Path, *portions: EncodedTrees) -> EncodedTrees:
    folder.mkdir(exist_ok=True)
    with RowWriter(folder) as writer:
        for portion in portions:
            writer.add(portion)
        writer.finish({"content": "x"}, RECORD)
    return open_rows(folder)[1]


@given(st.lists(forests(3), max_size=4))
def test_portions_read_back_are_the_rows_of_all_trees(
    tmp_path_factory: pytest.TempPathFactory, portions: list[list[StepTree]]
) -> None:
    found = written(tmp_path_factory.mktemp("rows"), *(encode_trees(trees, ENCODER, SHAPE) for trees in portions))
    want = encode_trees([tree for trees in portions for tree in trees], ENCODER, SHAPE)
    for name in COLUMNS:
        np.testing.assert_array_equal(getattr(found.rows, name), getattr(want.rows, name), err_msg=name)
    assert list(found.rows.names) == list(want.rows.names)
    assert list(found.prompts) == list(want.prompts)
    assert list(found.rows.label_sources) == list(want.rows.label_sources)
    assert found.counts == want.counts


def test_a_problem_of_several_portions_is_written_once(tmp_path: Path) -> None:
    portion = encode_trees([path_tree("1 ?", [("1", 1.0)])], ENCODER, SHAPE)
    found = written(tmp_path, portion, portion)
    assert (list(found.prompts), found.rows.problems.tolist()) == (["1 ?"], [0, 0])


def test_what_is_known_of_the_rows_is_kept_beside_them(tmp_path: Path) -> None:
    written(tmp_path, encode_trees([path_tree("1 ?", [("1", 1.0)])], ENCODER, SHAPE))
    about, encoded = open_rows(tmp_path)
    assert (about.tokens, about.counts.rows, about.corpus, about.key) == (5, 1, RECORD, {"content": "x"})
    assert about.bytes == sum(file.stat().st_size for file in tmp_path.iterdir() if file.name != META)
    assert isinstance(encoded.rows.ids, np.memmap)


def test_whoever_maps_the_rows_cannot_change_them(tmp_path: Path) -> None:
    rows = written(tmp_path, encode_trees([path_tree("1 ?", [("1", 1.0)])], ENCODER, SHAPE)).rows
    rows.ids[0] = 99
    assert open_rows(tmp_path)[1].rows.ids[0] != 99


def flip(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("name", ["ids", "labels", "id_starts", "names", "prompts_starts"])
@pytest.mark.parametrize(
    "harm",
    [flip, lambda file: file.write_bytes(file.read_bytes()[:-1]), lambda file: file.unlink()],
    ids=["a bit", "cut", "gone"],
)
def test_damage_is_noticed(tmp_path: Path, harm: Callable[[Path], object], name: str) -> None:
    written(tmp_path, encode_trees([path_tree("1 ?", [("1", 1.0), ("2", 0.0)])], ENCODER, SHAPE))
    harm(tmp_path / name)
    with pytest.raises(Damaged, match=f"^{name}: "):
        open_rows(tmp_path)


@pytest.mark.parametrize(
    "harm",
    [
        lambda data: data[: len(data) // 2],
        lambda data: b"{}",
        lambda data: b"\xff",
        lambda data: data.replace(b'"labels": 1', b'"labels": 2'),
    ],
)
def test_a_damaged_description_is_noticed(tmp_path: Path, harm: Callable[[bytes], bytes]) -> None:
    written(tmp_path, encode_trees([path_tree("1 ?", [("1", 1.0)])], ENCODER, SHAPE))
    file = tmp_path / META
    file.write_bytes(harm(file.read_bytes()))
    with pytest.raises(Damaged, match=META):
        open_rows(tmp_path)


def test_rows_that_were_not_finished_are_no_rows(tmp_path: Path) -> None:
    with RowWriter(tmp_path) as writer:
        writer.add(encode_trees([path_tree("1 ?", [("1", 1.0)])], ENCODER, SHAPE))
    with pytest.raises(Damaged):
        open_rows(tmp_path)


def test_texts_are_those_between_their_starts() -> None:
    texts = Texts(np.frombuffer("aéb".encode(), np.uint8), np.array([0, 1, 3, 3, 4]))
    assert list(texts) == ["a", "é", "", "b"]
    assert texts[1:3] == ["é", ""]
    with pytest.raises(IndexError):
        texts[4]


def labelled_by(*names: str) -> EncodedTrees:
    tree = StepTree(Problem(id="p", prompt="1 ?"))
    for name in names:
        tree.add(ROOT, "1", label=Label(value=1.0, source=name))
    return encode_trees([tree], ENCODER, SHAPE)


def test_label_sources_that_the_column_cannot_tell_apart_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prmkit.packing.table._MOST_SOURCES", 2)
    with pytest.raises(InputError, match="the labels name more than 2 sources, got 'c'"):
        labelled_by("a", "b", "c")
    with pytest.raises(InputError, match="the labels name more than 2 sources, got 'c'"):
        written(tmp_path, labelled_by("a", "b"), labelled_by("b", "c"))
