from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from prmkit.report.markdown import markdown_table, plain

# Any text but control characters, which Markdown replaces or drops.
texts = st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(" |\\`*_[]<>#!~&()\n"), max_size=30)
rows = st.lists(st.lists(texts, min_size=3, max_size=3), min_size=1, max_size=4)


def shown(markdown: str) -> list[str]:
    """The cells of a table as a reader of the rendered page sees them."""
    tokens = MarkdownIt("gfm-like", {"linkify": False}).parse(markdown)
    assert [token.type for token in tokens if token.level == 0] == ["table_open", "table_close"]
    cells = [token for token in tokens if token.type == "inline"]
    kinds = {child.type for cell in cells for child in cell.children or []}
    assert kinds <= {"text", "text_special"}
    return ["".join(child.content for child in cell.children or []) for cell in cells]


@given(rows)
def test_a_table_shows_its_cells_and_obeys_none(cells: list[list[str]]) -> None:
    table = markdown_table(["a", "b", "c"], cells, texts=1)
    assert shown(table) == ["a", "b", "c", *(" ".join(cell.split()) for row in cells for cell in row)]


def test_figures_stand_to_the_right() -> None:
    assert markdown_table(["a", "b"], [["x", "1"]], texts=1).splitlines()[1] == "| :-- | --: |"
    assert markdown_table(["a", "b"], [["x", "1"]]).splitlines()[1] == "| :-- | :-- |"


def test_text_is_one_line_without_tags() -> None:
    assert plain("a\n<b> *c*") == "a \\<b\\> \\*c\\*"
