from prmkit.report.blocks import Axis, Card, Cards, Code, Figure, Heading, Prose, Section, Series, Table
from prmkit.report.estimates import DASH
from prmkit.report.html import Page, figure_text
from tests.report.runs import HOSTILE


def test_numbers_are_written_to_be_read() -> None:
    values = (None, 1234567, 0.25, 12.34, 1234.56, 0.0, 1.5e12, "text")
    assert [figure_text(value) for value in values] == [
        DASH,
        "1,234,567",
        "0.25",
        "12.3",
        "1,234.6",
        "0.0",
        "1.5e+12",
        "text",
    ]


def test_every_block_escapes_its_text() -> None:
    axis = Axis(title=HOSTILE)
    figure = Figure(title=HOSTILE, caption=HOSTILE, x=axis, y=axis, series=[Series(name=HOSTILE, x=[1], y=[2])])
    blocks = [
        Prose([HOSTILE]),
        Prose([HOSTILE, HOSTILE], warning=True),
        Table(columns=[HOSTILE], rows=[[HOSTILE]], title=HOSTILE),
        figure,
        Heading(HOSTILE),
        Code(text=HOSTILE, title=HOSTILE),
        Cards([Card(name=HOSTILE, value=HOSTILE, note=HOSTILE)]),
    ]
    page = Page()
    for block in blocks:
        text = page.section(Section("S", [block]))
        for dangerous in ("<script", "<img", "<!--", '" onclick'):
            assert dangerous not in text, block
        assert "&lt;script&gt;alert(1)" in text, block
    assert page.figures[0]["series"][0]["name"] == HOSTILE


def test_neighbouring_figures_stand_side_by_side() -> None:
    axis = Axis(title="")
    figures = [Figure(title=name, x=axis, y=axis) for name in "abc"]
    text = Page().section(Section("S", [figures[0], figures[1], Heading("h"), figures[2]]))
    assert text.count('<div class="figures">') == 2
    assert text.index('data-figure="1"') < text.index("</div><h3>h</h3>")
