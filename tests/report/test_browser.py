"""The page in a browser: headless Chromium, from file://."""

import base64
import csv
import io
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from prmkit.attribution.record import add_record
from prmkit.report import build_report
from tests.report.runs import HOSTILE, comparison_run, explained, search_run, similarity_run, strategy_run, train_run

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

_OWN = ("file:", "data:", "blob:")
Open = Callable[..., "Page"]


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium: apt-get install chromium, or name one in CHROMIUM")
    api = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install prmkit[browser]")
    with api.sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])


@pytest.fixture
def opened(browser: "Browser") -> Iterator[Open]:
    """Opens a page; at the end, nothing may have been said in the console, run unasked, or fetched."""
    said: list[str] = []
    contexts = []

    def open_page(file: Path, **options: Any) -> "Page":
        context = browser.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("dialog", lambda dialog: said.append(dialog.message))
        page.on("request", lambda request: request.url.startswith(_OWN) or said.append(request.url))
        page.goto(file.as_uri())
        page.wait_for_selector('#forest [role="treeitem"], figure[data-drawn]')
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []


@pytest.fixture(scope="module")
def everything(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page with every kind of section; every text in it is hostile."""
    folder = tmp_path_factory.mktemp("everything")
    runs = [search_run(folder / "s", benchmark=HOSTILE), train_run(folder / "t"), similarity_run(folder / "m")]
    add_record(explained([f"5 {HOSTILE}"], [0.1], text=HOSTILE, method=HOSTILE), runs[0], problem_id="two", leaf=1)
    build_report(runs, folder / "r.html", title=HOSTILE, notes=[HOSTILE])
    return folder / "r.html"


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page about two strategies on three problems."""
    folder = tmp_path_factory.mktemp("two")
    beam, mcts = {"a": True, "b": True, "c": False}, {"a": True, "b": False, "c": False}
    build_report([comparison_run(folder / "run", {"beam": beam, "mcts": mcts})], folder / "r.html", title="Two")
    return folder / "r.html"


def focused(page: "Page") -> str:
    return str(page.evaluate("document.activeElement.querySelector('.step').textContent"))


def shown(page: "Page", selector: str = '#forest [role="treeitem"] > .row .step') -> list[str]:
    """The steps of the tree that can be seen."""
    return [one.inner_text() for one in page.locator(selector).all() if one.is_visible()]


def test_every_figure_is_drawn(opened: Open, everything: Path) -> None:
    page = opened(everything)
    page.evaluate("redraw(true)")
    figures = page.locator("figure").count()
    assert figures == 9
    assert page.locator("figure[data-drawn] .main-svg").count() >= figures
    assert page.locator("figure .scatterlayer .js-line").count() >= 6
    assert page.locator("figure .errorbar").count() >= 9
    assert page.locator("figure .heatmaplayer image").count() == 1
    assert page.locator("#trouble").is_hidden()


def test_hostile_text_is_shown_and_runs_nothing(opened: Open, everything: Path) -> None:
    page = opened(everything)
    page.evaluate("redraw(true)")
    assert page.locator("img[onerror], [onclick], [onerror]").count() == 0
    assert page.locator("h1").inner_text().startswith("</script><script>alert(1)</script><!--<img src=x")
    page.locator("#problems [role=option]").nth(1).click()
    page.locator("#problem h3", has_text="two").wait_for()
    page.locator("#forest .step", has_text="5 </script>").click()
    reader = page.locator("#reader")
    assert "</script><script>alert(1)" in reader.inner_text()
    reader.locator("select").select_option("-1")
    assert "5 </script><script>" in reader.locator("code").inner_text()
    page.get_by_role("button", name="CSV").first.click()


def test_a_script_that_got_in_would_not_run(browser: "Browser", everything: Path) -> None:
    page = browser.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(everything.as_uri())
    page.evaluate(
        "() => { const script = document.createElement('script'); script.textContent = 'window.ran = 1';"
        "const image = document.createElement('img'); image.setAttribute('onerror', 'window.ran = 2');"
        "image.src = 'data:,'; document.body.append(script, image); return fetch('data:,x').catch(() => null); }"
    )
    page.wait_for_timeout(100)
    assert page.evaluate("window.ran") is None
    for what in ("Executing inline script violates", "Executing inline event handler violates", "Connecting to "):
        assert any(text.startswith(what) for text in refused), refused
    page.close()


def test_attribution_warms_the_tokens(opened: Open, everything: Path) -> None:
    page = opened(everything)
    page.locator("#problems [role=option]").nth(1).click()
    page.locator("#forest .step", has_text="5 </script>").click()
    warm = page.locator("#reader .steps .warm")
    shares = [one.evaluate("one => one.style.getPropertyValue('--share')") for one in warm.all()]
    assert shares == ["-1.000", "0.250"]  # of the largest value, without the token of the problem
    page.locator("#reader summary").click()
    assert page.locator("#reader details td").all_inner_texts() == ["+0.50"]


def test_a_tree_opens_by_mouse(opened: Open, two: Path) -> None:
    page = opened(two)
    assert shown(page) == ["the same first step", "4", "left"]  # the way to the answer is open
    twisty = page.locator("#forest .twisty").first
    twisty.click()
    assert shown(page) == ["the same first step"]
    twisty.click()
    assert shown(page) == ["the same first step", "4", "left"]
    page.locator("#forest .step", has_text="left").click()
    assert page.locator("#reader code").all_inner_texts() == ["the same first step", "left"]
    assert page.locator("#reader .chip").all_inner_texts() == ["0.500", "0.250"]
    assert "pruned by the search" in page.locator("#reader h4").inner_text()


def test_a_tree_is_walked_by_keys(opened: Open, two: Path) -> None:
    page = opened(two)
    page.locator('#forest [tabindex="0"]').focus()
    assert focused(page) == "4"
    for key, step in (("ArrowDown", "left"), ("Home", "the same first step"), ("End", "left")):
        page.keyboard.press(key)
        assert focused(page) == step
    page.keyboard.press("ArrowLeft")  # to the parent
    assert focused(page) == "the same first step"
    page.keyboard.press("ArrowLeft")  # closes it
    assert shown(page) == ["the same first step"]
    assert page.locator('[role="treeitem"]').first.get_attribute("aria-expanded") == "false"
    page.keyboard.press("ArrowRight")  # opens it
    assert shown(page) == ["the same first step", "4", "left"]
    page.keyboard.press("ArrowRight")  # to the first child
    assert focused(page) == "4"
    assert page.locator('#forest [tabindex="0"]').count() == 1
    outline = page.evaluate("getComputedStyle(document.activeElement.querySelector('.row')).outlineStyle")
    assert outline == "solid"
    item = page.locator('[aria-selected="true"][role="treeitem"]')
    assert [item.get_attribute(f"aria-{name}") for name in ("level", "posinset", "setsize")] == ["2", "1", "2"]
    assert item.get_attribute("aria-label") == "4, score 0.750, on the path of the answer, right"


def test_problems_are_picked_by_keys_words_and_outcome(opened: Open, two: Path) -> None:
    page = opened(two)
    page.locator("#problems").focus()
    page.keyboard.press("ArrowDown")
    page.locator("#problem h3", has_text="b").wait_for()
    page.keyboard.press("End")
    assert page.locator("#matches").inner_text() == "3 of 3"
    page.select_option("#outcome", label="wrong")
    assert page.locator("#problems [role=option] small").all_inner_texts() == ["c"]
    page.select_option("#outcome", label="all")
    page.fill("#find", "B")
    assert page.locator("#problems [role=option] small").all_inner_texts() == ["b"]
    page.fill("#find", "nothing like it")
    assert page.locator("#matches").inner_text() == "no such problem"
    assert page.locator("#forest").inner_text() == ""


def test_two_strategies_stand_side_by_side(opened: Open, two: Path) -> None:
    page = opened(two)
    page.select_option("#run-second", label="mcts (b)")
    page.select_option("#outcome", label="only the first is right")
    assert page.locator("#problems [role=option] small").all_inner_texts() == ["b"]
    page.locator("#problem h3", has_text="b").wait_for()
    left, right = (page.locator(".pane").nth(number).bounding_box() for number in (0, 1))
    assert left is not None
    assert right is not None
    assert right["x"] > left["x"] + left["width"] - 1
    assert abs(left["y"] - right["y"]) < 1
    heads = page.locator("#reader h4").all_inner_texts()
    assert [head.split()[0] for head in heads] == ["beam", "mcts"]
    assert "right" in heads[0]
    assert "wrong" in heads[1]


def test_the_theme_follows_the_system_and_the_switch(opened: Open, everything: Path) -> None:
    def colours(page: "Page") -> tuple[str, str]:
        page.evaluate("redraw(true)")
        tick = page.locator("figure .xtick text").first.evaluate("one => getComputedStyle(one).fill")
        return page.evaluate("getComputedStyle(document.body).backgroundColor"), tick

    light, dark = opened(everything, color_scheme="light"), opened(everything, color_scheme="dark")
    assert colours(light) == ("rgb(255, 255, 255)", "rgb(48, 54, 61)")
    assert colours(dark) == ("rgb(20, 24, 29)", "rgb(201, 209, 217)")
    light.get_by_role("button", name="Dark colours").click()
    assert colours(light) == colours(dark)
    light.get_by_role("button", name="Light colours").click()
    assert colours(light)[0] == "rgb(255, 255, 255)"


def test_a_phone_shows_all_of_it_without_scrolling_sideways(opened: Open, everything: Path, two: Path) -> None:
    for file in (everything, two):
        page = opened(file, viewport={"width": 360, "height": 740}, is_mobile=True, has_touch=True)
        page.evaluate("redraw(true)")
        if file == two:
            page.select_option("#run-second", index=1)
            page.locator(".pane").nth(1).wait_for()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        widths = page.locator("figure, .pane, .solution, h2").evaluate_all("all => all.map(one => one.scrollWidth)")
        assert max(widths) <= 360


def test_print_shows_every_figure_and_no_controls(opened: Open, everything: Path, tmp_path: Path) -> None:
    page = opened(everything, color_scheme="dark")
    page.wait_for_function("'Plotly' in window")  # unpacked by the page itself, whatever is in view
    page.pdf(path=tmp_path / "r.pdf", format="A4")
    assert page.locator("figure[data-drawn]").count() == page.locator("figure").count()
    page.emulate_media(media="print")
    for hidden in ("nav", ".controls", ".picker", "#theme", ".tools >> nth=0"):
        assert page.locator(hidden).is_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.locator("details:not([open])").count() == 0


@contextmanager
def saved(page: "Page") -> Iterator[list[bytes]]:
    """What the block makes the page save."""
    content: list[bytes] = []
    with page.expect_download() as download:
        yield content
    content.append(Path(download.value.path()).read_bytes())


def test_figures_and_tables_are_saved(opened: Open, two: Path) -> None:
    page = opened(two)
    figure = page.locator("figure").first
    for kind, start in (("png", b"\x89PNG"), ("svg", b"<svg")):
        with saved(page) as content:
            figure.locator(f"[data-save={kind}]").click()
        assert content[0].startswith(start)
    with saved(page) as content:
        figure.locator("[data-save=csv]").click()
    rows = list(csv.reader(io.StringIO(content[0].decode())))
    assert rows[0] == ["series", "name", "accuracy, %", "stderr", "low", "high"]
    assert [row[1] for row in rows[1:]] == ["beam", "mcts"]
    assert [float(row[2]) for row in rows[1:]] == pytest.approx([200 / 3, 100 / 3])
    with saved(page) as content:
        page.locator("#strategies-side-by-side [data-save=table]").first.click()
    assert content[0].decode().splitlines()[1].startswith("beam,66.7 ± 33.3,3,")


def test_a_page_left_of_many_solutions_says_so(opened: Open, tmp_path: Path) -> None:
    noise = base64.b64encode(os.urandom(30_000)).decode()
    run = strategy_run(tmp_path / "beam", {str(number): True for number in range(40)}, left=noise)
    build_report([run], tmp_path / "r.html", title="Many", megabytes=3.0)
    page = opened(tmp_path / "r.html")
    said = page.locator("#tree-counts").inner_text()
    assert "40 problems, 80 solutions. " in said
    assert "of them are not in this page, to keep it small: the first" in said
    page.locator("#problems").focus()
    page.keyboard.press("End")
    page.locator("#problem h3", has_text="39").wait_for()
    assert page.locator("#forest .cut").inner_text() == "1 more solution not in this page"
    assert "1 more solution (0 right, 1 step) not in this page" in page.locator(".pane .caption").inner_text()
