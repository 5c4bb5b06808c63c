"""The maps in CONTRIBUTING.md and README.md say what the docstrings say. ``python tests/test_map.py`` writes them anew.

Between ``<!-- map -->`` and ``<!-- /map -->`` stand all packages and modules, between ``<!-- packages -->`` and its end
the packages alone, each with the first paragraph of its docstring.
"""

import ast
import textwrap
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 120
LEAST_TEXT = 40
"""Characters of a line that are left for text, however deep a module lies."""


def summary(file: Path) -> str:
    """The first paragraph of a module's docstring, as one line without markup.

    Raises:
        ValueError: there is none, or it is no sentence.
    """
    docstring = ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or ""
    text = " ".join(docstring.partition("\n\n")[0].split()).replace("``", "")
    if not text.endswith((".", "?")):
        raise ValueError(f"{file}: the docstring shall begin with a sentence of its own, got {text!r}")
    return text


def packages(folder: Path) -> Iterator[Path]:
    """The packages in a folder, by name."""
    return (path.parent for path in sorted(folder.glob("*/__init__.py")))


def table(rows: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Names and texts in two columns; a text that is too long for the line goes on below itself.

    Raises:
        ValueError: a name leaves too little room for its text.
    """
    column = max(len(name) for name, _ in rows) + 2
    if WIDTH - column < LEAST_TEXT:
        raise ValueError(f"{max((name for name, _ in rows), key=len).strip()}: the name is too long for the map")
    for name, text in rows:
        first, *rest = textwrap.wrap(text, WIDTH - column)
        yield f"{name:{column}}{first}"
        yield from (" " * column + line for line in rest)


def module_map(package: Path, indent: str = "") -> Iterator[str]:
    """A package and its modules, then the packages in it, each after a blank line."""
    modules = [path for path in sorted(package.glob("*.py")) if path.name != "__init__.py"]
    rows = [(f"{indent}{package.name}/", summary(package / "__init__.py"))]
    yield from table([*rows, *((f"{indent}  {path.name}", summary(path)) for path in modules)])
    for inner in packages(package):
        yield ""
        yield from module_map(inner, indent + "  ")


def package_map(package: Path) -> Iterator[str]:
    """The packages in a package, and those in them."""

    def rows(folder: Path, indent: str) -> Iterator[tuple[str, str]]:
        for inner in packages(folder):
            yield f"{indent}{inner.name}/", summary(inner / "__init__.py")
            yield from rows(inner, indent + "  ")

    return table(list(rows(package, "")))


def renewed(page: str, marker: str, lines: Iterator[str]) -> str:
    """The text of a page with these lines between its markers.

    Raises:
        ValueError: the page has not both markers once.
    """
    begin, end = f"<!-- {marker} -->", f"<!-- /{marker} -->"
    if page.count(begin) != 1 or page.count(end) != 1 or page.index(begin) > page.index(end):
        raise ValueError(f"the page needs {begin} and {end} once, in this order")
    before, after = page.partition(begin)[0], page.partition(end)[2]
    return "\n".join([before + begin, "```text", *lines, "```", end + after])


MAPS: dict[str, tuple[str, Callable[[Path], Iterator[str]]]] = {
    "CONTRIBUTING.md": ("map", module_map),
    "README.md": ("packages", package_map),
}


def main() -> None:
    for name, (marker, lines) in MAPS.items():
        path = ROOT / name
        path.write_text(renewed(path.read_text(encoding="utf-8"), marker, lines(ROOT / "prmkit")), encoding="utf-8")


@pytest.mark.parametrize("name", MAPS)
def test_the_map_of_a_page_is_up_to_date(name: str) -> None:
    marker, lines = MAPS[name]
    page = (ROOT / name).read_text(encoding="utf-8")
    wanted = renewed(page, marker, lines(ROOT / "prmkit"))
    if page != wanted:
        missing = [line.strip() for line in wanted.splitlines() if line not in page.splitlines()]
        pytest.fail(
            f"{name} lacks {missing[:3] or 'nothing, but has more'}. Run: python tests/test_map.py", pytrace=False
        )


def written(folder: Path, files: dict[str, str]) -> Path:
    for name, docstring in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f'"""{docstring}"""\n\nX = 1\n')
    return folder / "pkg"


FILES = {
    "pkg/__init__.py": "All of it.",
    "pkg/b.py": "B: ``x`` is what?\n\nMore of it.",
    "pkg/a_long_name.py": "A, which\ngoes on.",
    "pkg/inner/__init__.py": "Inner.",
    "pkg/inner/deep/__init__.py": "Deep.",
    "pkg/inner/deep/c.py": " ".join(["word"] * 30) + ".",
    "pkg/web/data.py": "In no package.",
}


def test_a_map_shows_modules_before_packages_and_wraps_what_is_long(tmp_path: Path) -> None:
    assert list(module_map(written(tmp_path, FILES))) == [
        "pkg/              All of it.",
        "  a_long_name.py  A, which goes on.",
        "  b.py            B: x is what?",
        "",
        "  inner/  Inner.",
        "",
        "    deep/   Deep.",
        "      c.py  " + " ".join(["word"] * 21),
        "            " + " ".join(["word"] * 9) + ".",
    ]
    assert list(package_map(tmp_path / "pkg")) == ["inner/   Inner.", "  deep/  Deep."]


@pytest.mark.parametrize("docstring", ["", "No sentence", "Cut in the\n\nmiddle."])
def test_a_module_that_does_not_say_what_it_is_is_named(tmp_path: Path, docstring: str) -> None:
    package = written(tmp_path, FILES | {"pkg/b.py": docstring})
    with pytest.raises(ValueError, match=r"b\.py: the docstring shall begin with a sentence"):
        list(module_map(package))


def test_a_name_that_leaves_no_room_is_named() -> None:
    with pytest.raises(ValueError, match=r"xxx\.py: the name is too long for the map"):
        list(table([("a.py", "A."), ("x" * 80 + ".py", "X.")]))


def test_only_what_stands_between_the_markers_changes() -> None:
    page = "# Title\n\n<!-- map -->\nold\n<!-- /map -->\n\nThe end.\n"
    new = renewed(page, "map", iter(["one", "two"]))
    assert new == "# Title\n\n<!-- map -->\n```text\none\ntwo\n```\n<!-- /map -->\n\nThe end.\n"
    assert renewed(new, "map", iter(["one", "two"])) == new


@pytest.mark.parametrize(
    "page", ["", "<!-- map -->", "<!-- /map --> <!-- map -->", "<!-- map --><!-- map --><!-- /map -->"]
)
def test_a_page_without_its_markers_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match=r"the page needs <!-- map --> and <!-- /map --> once"):
        renewed(page, "map", iter([]))


if __name__ == "__main__":
    main()
