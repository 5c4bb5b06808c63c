import json
from pathlib import Path

import pytest

from prmkit.commands.corpora import corpora_of, corpus_at, named_part, new_files, tell, weighted_part
from prmkit.errors import InputError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("trl=a.jsonl", (("trl", "a.jsonl"), 1.0)),
        ("trl=a.jsonl@2", (("trl", "a.jsonl"), 2.0)),
        ("trl=me@home/a.jsonl", (("trl", "me@home/a.jsonl"), 1.0)),
        ("trl=me@home/a.jsonl@0.5", (("trl", "me@home/a.jsonl"), 0.5)),
        ("trl=a=b.jsonl", (("trl", "a=b.jsonl"), 1.0)),
    ],
)
def test_a_part_has_a_source_a_path_and_a_weight(text: str, expected: tuple[tuple[str, str], float]) -> None:
    assert weighted_part(text) == expected


@pytest.mark.parametrize("text", ["trl", "trl=", "=a.jsonl"])
def test_what_is_no_part_is_named(text: str) -> None:
    with pytest.raises(InputError, match=r"a part is SOURCE=PATH, got"):
        named_part(text)


def test_each_part_gets_the_options_under_the_name_of_its_source() -> None:
    parts = [("prm800k", "a"), ("trl", "b")]
    corpora = corpora_of(parts, ["prm800k.neutral=negative", "trl.labelled_by=me"])
    assert [corpus.choices()["options"] for corpus in corpora] == [
        {"neutral": "negative", "screening": False},
        {"labelled_by": "me"},
    ]
    with pytest.raises(InputError, match=r"SOURCE\.KEY=VALUE, got.*Did you mean prm800k"):
        corpora_of(parts, ["prm80k.neutral=negative"])


def test_bad_rows_are_told_when_all_is_read_and_only_then_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = tmp_path / "a.jsonl", tmp_path / "out.jsonl"
    source.write_text("{torn\n")
    corpus = corpus_at(str(source), "trl", None)
    with new_files([corpus], out, overwrite=False) as (file,):
        assert list(corpus) == []
    with pytest.raises(InputError, match="1 of 1 rows are bad"):
        tell(out, [corpus], {"wrote": file.count}, 0.5, as_json=True)
    assert json.loads(capsys.readouterr().out)["quarantine"] == str(tmp_path / "out.jsonl.quarantine")
    assert (tmp_path / "out.jsonl.quarantine").is_file()
