import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat
from prmkit.packing.rows import RowShape
from prmkit.prepare import key
from prmkit.prepare.key import Key, key_of, name_of
from prmkit.sources.corpus import Corpus
from tests.tiny import tiny_tokenizer

CORPUS = {"name": "rows", "path": "a.jsonl", "limit": 5}


def made(
    content: str = "x",
    *,
    corpus: dict[str, object] | None = None,
    format: StepFormat | None = None,
    change: Callable[[object], object] = lambda tokenizer: None,
    **shape: object,
) -> Key:
    tokenizer = tiny_tokenizer()
    change(tokenizer)
    encoder = StepEncoder(tokenizer, format or StepFormat())
    read = Corpus(**{**CORPUS, **(corpus or {})})  # type: ignore[arg-type]
    return key_of(read, content, encoder, RowShape(**{"max_length": 64, **shape}))  # type: ignore[arg-type]


def test_the_same_has_the_same_name_wherever_it_lies() -> None:
    assert name_of(made()) == name_of(made(corpus={"path": "elsewhere.jsonl"}))


@pytest.mark.parametrize(
    "other",
    [
        {"content": "y"},
        {"corpus": {"limit": 6}},
        {"corpus": {"options": {"step_end": "\n"}}},
        {"corpus": {"stop_at_first_error": True}},
        {"corpus": {"min_steps": 2}},
        {"corpus": {"max_bad": 0.5}},
        {"corpus": {"name": "trl"}},
        {"format": StepFormat(step_end="#")},
        {"format": StepFormat(template="bare")},
        {"change": lambda tokenizer: tokenizer.add_tokens(["word"])},
        {"max_length": 65},
        {"weighting": "rows"},
        {"budget": 64},
    ],
)
def test_whatever_decides_the_rows_decides_the_name(other: dict[str, object]) -> None:
    assert name_of(made(**other)) != name_of(made())  # type: ignore[arg-type]


def test_other_versions_make_other_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    before = name_of(made())
    monkeypatch.setattr("tokenizers.__version__", "99")
    assert name_of(made()) != before


def test_the_code_of_somebody_elses_source_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    names = []
    for text in ("", "# changed\n"):
        (tmp_path / "their_source.py").write_text(f"{text}def tree_of(row, where):\n    return None\n")
        names.append(name_of(made(corpus={"name": "their_source:tree_of"})))
        sys.modules.pop("their_source", None)
    assert names[0] != names[1]


@pytest.mark.parametrize(
    "source",
    ["tree_of = lambda row, where: None", "class Source:\n    def __call__(self, row, where): ...\ntree_of = Source()"],
)
def test_a_source_that_is_no_plain_function_counts_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    names = []
    for text in ("", "# changed\n"):
        (tmp_path / "odd_source.py").write_text(f"{text}{source}\n")
        names.append(name_of(made(corpus={"name": "odd_source:tree_of"})))
        sys.modules.pop("odd_source", None)
    assert names[0] != names[1]


def test_a_key_is_as_it_is_read_again() -> None:
    found = made()
    assert json.loads(json.dumps(found)) == found


def test_the_code_that_makes_rows_is_there() -> None:
    root = Path(key.__file__).parents[1]
    assert all((root / name).exists() for name in key._CODE)
