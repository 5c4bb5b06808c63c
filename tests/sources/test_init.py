from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.sources import SOURCES, problem_id
from tests.sources.samples import GOOD_ROWS


def test_the_same_prompt_has_the_same_id_within_a_corpus_only() -> None:
    # printf 'x' | b2sum -l 64
    assert problem_id("a", "x") == "a/4adf4367f96e584f"
    assert problem_id("b", "x") == "b/4adf4367f96e584f"
    assert problem_id("a", "y") != problem_id("a", "x")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("name", sorted(GOOD_ROWS))
@given(data=st.data())
def test_a_hostile_row_gives_a_tree_nothing_or_one_clear_error(name: str, data: st.DataObject) -> None:
    row: dict[str, Any] = data.draw(st.fixed_dictionaries(dict.fromkeys(GOOD_ROWS[name], JSON)))
    try:
        tree = SOURCES.load(name)(row, "f:1")
    except InputError:
        return
    assert tree is None or all(node.text.strip() for node in tree)
