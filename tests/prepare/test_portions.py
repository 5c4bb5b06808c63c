import gzip
from pathlib import Path

import numpy as np
import pytest

from prmkit.errors import InputError
from prmkit.packing.rows import encode_trees
from prmkit.prepare import portions as module
from prmkit.prepare.portions import Encoding, portions
from prmkit.sources.corpus import Corpus
from tests.prepare.corpora import SHAPE, corpus_of, encoder, write_rows


def ids(corpus: Corpus) -> list[int]:
    """The tokens of all rows, in their order."""
    made = portions(Encoding(corpus, None, encoder(), SHAPE))
    return np.concatenate([portion.encoded.rows.ids for portion in made]).tolist()


@pytest.fixture(params=["in this process", "in others"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Portions of 5 rows; no corpus, or every one, is small."""
    monkeypatch.setattr(module, "_ROWS", 5)
    monkeypatch.setattr(module, "_SMALL", 1000 if request.param == "in this process" else 1)
    monkeypatch.setattr(module, "_cores", lambda: 2)


@pytest.mark.usefixtures("where")
def test_portions_together_are_the_corpus(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", 43, bad=(3, 20, 42))
    plain, corpus = corpus_of(path), corpus_of(path)
    want = encode_trees(list(plain), encoder(), SHAPE)
    assert ids(corpus) == want.rows.ids.tolist()
    assert corpus.counts == plain.counts
    assert corpus.bad == plain.bad


@pytest.mark.usefixtures("where")
@pytest.mark.parametrize("limit", [1, 5, 7, 11, 40])
def test_no_more_trees_are_made_than_are_wanted(tmp_path: Path, limit: int) -> None:
    path = write_rows(tmp_path / "a.jsonl", 43, bad=(3, 20))
    plain, corpus = corpus_of(path, limit=limit), corpus_of(path, limit=limit)
    want = encode_trees(list(plain), encoder(), SHAPE)
    assert ids(corpus) == want.rows.ids.tolist()
    assert corpus.counts == plain.counts


@pytest.mark.usefixtures("where")
def test_too_many_bad_rows_are_refused(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "a.jsonl", 43, bad=(7, 8, 9))
    with pytest.raises(InputError, match=r"a.jsonl:8: .* \(3 of 43 rows are bad, 5% may be\)"):
        ids(corpus_of(path, max_bad=0.05))


def test_a_corpus_without_rows_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the file holds no row"):
        list(portions(Encoding(corpus_of(write_rows(tmp_path / "a.jsonl", 0)), None, encoder(), SHAPE)))


def test_a_portion_is_bounded_in_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BYTES", 1)
    path = write_rows(tmp_path / "a.jsonl", 4)
    made = list(portions(Encoding(corpus_of(path), None, encoder(), SHAPE)))
    assert [portion.part.counts.read for portion in made] == [1, 1, 1, 1]


@pytest.mark.parametrize("packed", [False, True])
def test_portions_know_how_much_of_the_file_lies_before_their_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, packed: bool
) -> None:
    monkeypatch.setattr(module, "_ROWS", 5)
    path = write_rows(tmp_path / "a.jsonl", 23)
    if packed:
        path = tmp_path / "a.jsonl.gz"
        path.write_bytes(gzip.compress((tmp_path / "a.jsonl").read_bytes()))
    read = [portion.read for portion in portions(Encoding(corpus_of(path), None, encoder(), SHAPE))]
    assert len(read) == 5
    assert read == sorted(read)
    assert read[-1] == path.stat().st_size
