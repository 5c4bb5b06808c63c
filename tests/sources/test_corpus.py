import json
import pickle
from pathlib import Path

import pytest

from prmkit.errors import InputError, RunError
from prmkit.run.activity import current
from prmkit.sources.corpus import Corpus, write_quarantine

GOOD = {"prompt": "1+1?", "completions": ["2", "3"], "labels": [True, False]}
EMPTY = {"prompt": "1+1?", "completions": [], "labels": []}
BAD = {"prompt": "1+1?", "completions": ["2"], "labels": []}


def write(path: Path, *rows: object) -> str:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return str(path)


def test_every_row_is_kept_quarantined_or_filtered(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", GOOD, EMPTY, "{torn", GOOD, BAD)
    corpus = Corpus("trl", path, max_bad=0.5)
    assert [len(tree) for tree in corpus] == [2, 2]
    assert corpus.counts.as_dict() == {
        "read": 5,
        "kept": 2,
        "quarantined": 2,
        "filtered": 1,
        "nodes": 4,
        "labelled": 4,
    }
    bad = corpus.bad
    assert [record["where"] for record in bad] == [f"{path}:3", f"{path}:5"]
    assert bad[0]["row"] == "{torn"
    assert json.loads(bad[1]["row"]) == BAD
    assert "steps and labels differ" in bad[1]["error"]


def test_more_bad_rows_than_allowed_refuse_the_corpus_with_the_first(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", GOOD, "{torn", BAD)
    with pytest.raises(InputError, match=r"a\.jsonl:2: not JSON .*\(2 of 3 rows are bad, 1% may be\)"):
        list(Corpus("trl", path))


def test_rows_of_which_no_tree_can_be_made_are_set_aside_however_many_and_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    good = {"id": "a", "problem": "?", "steps": ["x"], "label": 0}
    path = write(tmp_path / "a.jsonl", *[{**good, "steps": ["x", " "]}] * 2, good)
    corpus = Corpus("processbench", path)
    assert len(list(corpus)) == 1
    assert (corpus.counts.kept, corpus.counts.quarantined, corpus.counts.filtered) == (1, 2, 0)
    assert write_quarantine(tmp_path / "bad.jsonl", [corpus])
    kept = [json.loads(line) for line in (tmp_path / "bad.jsonl").read_text().splitlines()]
    assert [row["where"] for row in kept] == [f"{path}:1", f"{path}:2"]
    (said,) = caplog.messages
    assert said == f"2 of 3 rows are set aside in {tmp_path}/bad.jsonl: {path}:1: step 2 of 2 is empty"


def test_beside_them_a_bad_row_still_refuses_the_corpus(tmp_path: Path) -> None:
    empty = {"id": "a", "problem": "?", "steps": [""], "label": 0}
    with pytest.raises(InputError, match=r"a\.jsonl:2: not JSON .*\(1 of 2 rows are bad, 1% may be\)"):
        list(Corpus("processbench", write(tmp_path / "a.jsonl", empty, "{torn")))


def test_without_a_bad_row_nothing_is_written_or_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    corpus = Corpus("trl", write(tmp_path / "a.jsonl", GOOD))
    list(corpus)
    (tmp_path / "bad.jsonl").write_text("of an earlier run")
    assert not write_quarantine(tmp_path / "bad.jsonl", [corpus])
    assert (caplog.messages, (tmp_path / "bad.jsonl").exists()) == ([], False)


def test_who_watches_is_told_of_a_reading_until_it_ends_or_is_given_up(tmp_path: Path) -> None:
    corpus = Corpus("trl", write(tmp_path / "a.jsonl", BAD, *[GOOD] * 200), max_bad=1.0)
    trees = iter(corpus)
    assert current() is None
    for _ in range(140):
        next(trees)
    said = current()
    assert said is not None
    assert said.what == f"reading {tmp_path}/a.jsonl"
    # Noted before every 64th row.
    assert (said.figures["rows"], said.figures["quarantined"]) == ("128", "1")
    assert len(list(trees)) == 60
    assert current() is None
    for given_up in (iter(corpus), iter(Corpus("trl", corpus.path, limit=1))):
        next(given_up)
        assert current() is not None
        given_up.close()
        assert current() is None
    assert len(list(Corpus("trl", corpus.path, limit=2, max_bad=1.0))) == 2
    assert current() is None


def test_of_very_many_bad_rows_the_later_ones_are_kept_without_their_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prmkit.sources.corpus._MOST_TEXTS", 2)
    corpus = Corpus("trl", write(tmp_path / "a.jsonl", *["{torn"] * 3, GOOD), max_bad=1.0)
    list(corpus)
    assert [row["row"] for row in corpus.bad] == ["{torn", "{torn", ""]
    assert [row["where"] for row in corpus.bad] == [f"{tmp_path}/a.jsonl:{line}" for line in (1, 2, 3)]


def test_a_hopeless_corpus_is_not_read_to_its_end(tmp_path: Path) -> None:
    corpus = Corpus("trl", write(tmp_path / "a.jsonl", *["{torn"] * 1001, *[GOOD] * 5000))
    with pytest.raises(InputError, match="1001 of 1001 rows are bad"):
        list(corpus)


def test_a_limit_counts_trees_and_leaves_the_rest_unread(tmp_path: Path) -> None:
    corpus = Corpus("trl", write(tmp_path / "a.jsonl", EMPTY, GOOD, GOOD, "{torn"), limit=2)
    assert len(list(corpus)) == 2
    assert (corpus.counts.read, corpus.counts.filtered) == (3, 1)


def test_a_corpus_can_be_read_again(tmp_path: Path) -> None:
    corpus = Corpus("trl", write(tmp_path / "a.jsonl", GOOD))
    assert list(corpus) == list(corpus)
    assert corpus.counts.read == 1


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the file holds no row"):
        list(Corpus("trl", write(tmp_path / "a.jsonl")))


def test_unknown_sources_and_options_are_named() -> None:
    with pytest.raises(InputError, match=r"unknown source, got 'prm80k'.*Did you mean prm800k"):
        Corpus("prm80k", "x")
    with pytest.raises(InputError, match=r"wrong options for source prm800k .*expected neutral, screening"):
        Corpus("prm800k", "x", options={"colour": 1})


def test_the_record_holds_every_option_also_those_not_given(tmp_path: Path) -> None:
    corpus = Corpus("trl", write(tmp_path / "a.jsonl", GOOD))
    list(corpus)
    record = corpus.record()
    assert (record.source, record.options, record.kept) == ("trl", {"labelled_by": "human"}, 1)


def test_steps_after_a_wrong_one_and_short_solutions_are_left_out_when_asked(tmp_path: Path) -> None:
    wrong_second = {"prompt": "p", "completions": ["a", "b", "c"], "labels": [True, False, True]}
    path = write(tmp_path / "a.jsonl", wrong_second, GOOD | {"completions": ["2"], "labels": [True]})
    corpus = Corpus("trl", path, stop_at_first_error=True, min_steps=2)
    assert [[node.text for node in tree] for tree in corpus] == [["a", "b"]]
    assert (corpus.counts.kept, corpus.counts.filtered) == (1, 1)


def test_a_source_that_fails_is_named_with_the_row_and_the_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "failing_source.py").write_text("tree_of = lambda row, where: row['nothing']\n")
    path = tmp_path / "rows.jsonl"
    path.write_text("{}\n")
    corpus = Corpus("failing_source:tree_of", str(path))
    with pytest.raises(RunError, match=r"rows\.jsonl:1: the source .* KeyError: 'nothing' \(failing_source\.py:1\)"):
        list(corpus)
    sent = pickle.loads(pickle.dumps(corpus))  # though a lambda is no pickle
    assert sent.reader is corpus.reader
