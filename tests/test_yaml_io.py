from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.yaml_io import dump_yaml, parse_value, read_yaml

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(min_size=1, max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=5), VALUES, min_size=1, max_size=4))
def test_what_is_written_reads_back_the_same(values: dict[str, object]) -> None:
    text = dump_yaml(values)
    assert parse_value(text, where="here") == values


@pytest.mark.parametrize(
    ("text", "value"),
    [("3e-4", 3e-4), ("1E5", 1e5), ("2024-08-01", "2024-08-01"), ("1_000", 1000), ("[1, two]", [1, "two"]), ("", None)],
)
def test_plain_words_mean_what_they_look_like(text: str, value: object) -> None:
    found = parse_value(text, where="here")
    assert (found, type(found)) == (value, type(value))


def test_every_key_and_item_has_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("# first\na: 1\nb:\n  c: 2\n  d:\n    - 3\n    - {e: 4}\n")
    document = read_yaml(path)
    assert document.values == {"a": 1, "b": {"c": 2, "d": [3, {"e": 4}]}}
    assert document.lines["a",] == 2
    assert document.lines["b", "c"] == 4
    assert document.lines["b", "d", "1"] == 7
    assert document.lines["b", "d", "1", "e"] == 7


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\na: 2\n", r"a\.yaml:2: bad YAML \(key 'a' stands twice\)"),
        ("a: &x 1\nb: *x\n", r"a\.yaml:2: bad YAML \(aliases are not used here\)"),
        ("a: [1\n", r"a\.yaml:2: bad YAML"),
        ("1: a\n", r"a\.yaml:1: bad YAML \(a key is not text\)"),
        ("- a\n", "the file holds no keys"),
        ("", "the file holds no keys"),
        ("a: !!python/object/apply:os.system [true]\n", r"a\.yaml:1: bad YAML"),
    ],
)
def test_what_is_no_recipe_is_refused_with_its_line(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(InputError, match=message):
        read_yaml(path)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_yaml(tmp_path / "gone.yaml")
    (tmp_path / "latin.yaml").write_bytes(b"a: \xe9\n")
    with pytest.raises(InputError, match="cannot read the file"):
        read_yaml(tmp_path / "latin.yaml")
