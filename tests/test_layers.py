"""The house stands: imports run one way, and heavy libraries are imported where they are needed."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import prmkit
from prmkit.recipe.stages import STAGES

PACKAGE = Path(prmkit.__file__).parent
LAYERS = (
    "errors tree seam options thoughts digits",
    "json_io trees_io row_files rows_io yaml_io run stats download cluster sandbox",
    "grade",
    "columns",
    "sources benchmarks",
    "segment",
    "packing",
    "prepare",
    "models",
    "kv",
    "generate",
    "score",
    "session",
    "annotate train search similarity attribution world",
    "evaluate",
    "recipe",
    "report",
    "study demo publish",
    "commands",
)
LEVEL = {room: level for level, rooms in enumerate(LAYERS) for room in rooms.split()}
MODULES = sorted(PACKAGE.rglob("*.py"))


def imported(file: Path) -> Iterator[str]:
    """The modules that a file imports, also inside functions, but not for types alone."""
    for node in _running(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        yield node
        yield from _running(node)


def room_of(file: Path) -> str:
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def rooms_imported(file: Path) -> set[str]:
    parts = [name.split(".") for name in imported(file)]
    return {part[1] for part in parts if part[0] == "prmkit" and len(part) > 1} & LEVEL.keys()


def test_every_room_has_a_place() -> None:
    assert {room_of(file) for file in MODULES} - {"__init__"} <= LEVEL.keys()


@pytest.mark.parametrize("file", MODULES, ids=lambda file: file.relative_to(PACKAGE).as_posix())
def test_imports_run_one_way(file: Path) -> None:
    room = room_of(file)
    for other in rooms_imported(file) - {room}:
        assert room == "__init__" or LEVEL[other] <= LEVEL[room], f"{room} must not know {other}"


def test_no_two_rooms_know_each_other() -> None:
    graph: dict[str, set[str]] = {}
    for file in MODULES:
        graph.setdefault(room_of(file), set()).update(rooms_imported(file) - {room_of(file)})
    TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("library", ["vllm", "captum", "ray", "deepspeed", "gguf"])
def test_an_optional_library_is_imported_in_one_file(library: str) -> None:
    files = [file for file in MODULES if any(name.split(".")[0] == library for name in imported(file))]
    assert len(files) <= 1


@pytest.mark.parametrize(
    "module",
    [
        "prmkit",
        "prmkit.commands",
        "prmkit.report",
        "prmkit.segment.config",
        "prmkit.segment.statements",
        "prmkit.train.machines",
        "prmkit.models.gguf.contents",
        *(entry.module for entry in STAGES.values()),
    ],
)
def test_light_modules_import_no_heavy_library(module: str) -> None:
    assert not {"torch", "transformers", "lightning", "datasets", "plotly", "sympy"} & loaded_by(module)


@pytest.mark.parametrize("module", ["prmkit.prepare.prepared", "prmkit.train.encoding"])
def test_corpora_are_prepared_without_torch(module: str) -> None:
    assert not {"torch", "lightning"} & loaded_by(module)


STATISTICS = sorted((PACKAGE / "similarity" / "statistics").glob("*.py"))


@pytest.mark.parametrize("file", STATISTICS, ids=lambda file: file.stem)
def test_statistics_know_neither_torch_nor_how_patterns_are_made(file: Path) -> None:
    """A Gram is read, and its tables are made, on a machine without either; so too for who imports the package."""
    module = f"prmkit.similarity.statistics.{file.stem}".removesuffix(".__init__")
    loaded = loaded_by(module)
    assert module in loaded
    assert not {name for name in loaded if name == "torch" or name.startswith("prmkit.similarity.patterns")}
    assert not {name for name in imported(file) if name.split(".")[0] == "torch" or "similarity.patterns" in name}


def loaded_by(module: str) -> set[str]:
    """The modules that a fresh interpreter holds after importing one."""
    program = f"import sys, {module}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    return set(loaded.split())
