"""Every command in the documentation is one that prmkit takes, on recipes, keys and corpora that exist."""

import inspect
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from pydantic import BaseModel
from typer.testing import CliRunner

from prmkit.benchmarks import BENCHMARKS
from prmkit.commands import app
from prmkit.errors import PrmkitError
from prmkit.recipe.bind import bind, bind_stage, recipe_model
from prmkit.recipe.catalog import locate
from prmkit.recipe.compare import with_strategies
from prmkit.recipe.compose import compose
from prmkit.recipe.keys import fields_at
from prmkit.recipe.stages import STAGES
from prmkit.sources import SOURCES
from tests.docs.pages import NOT_CHECKED, PAGES, ROOT, YOURS, Block, Command, blocks, commands, shell_lines

COMMANDS = [command for page in PAGES for command in commands(page)]
LINES = [(where, line) for page in PAGES for where, line in shell_lines(page)]
MOST_NOT_CHECKED = 4
STAGE_OF = {entry.verb: stage for stage, entry in STAGES.items()}
EVALUATIONS = [verb for verb in STAGE_OF if verb.startswith("evaluate ")]


def parsed(arguments: Iterable[str], *, lenient: bool = False) -> tuple[str, dict[str, Any]]:
    """The verb that arguments lead to, and what it is told. Raises what the command line would print."""
    command: Any = typer.main.get_command(app)
    context, name, rest = None, "prmkit", list(arguments)
    verbs = []
    while True:
        context = command.make_context(name, rest, parent=context, resilient_parsing=lenient)
        rest = [*getattr(context, "_protected_args", []), *context.args]
        if not hasattr(command, "commands") or not rest:
            return " ".join(verbs), context.params
        name, command, rest = command.resolve_command(context, rest)
        verbs.append(name)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda one: f"{one.where} {' '.join(one.arguments)}"[:90])
def test_a_command_is_one_that_prmkit_takes(command: Command) -> None:
    assert command.arguments, "no verb"
    check(command.arguments, span=command.span)


def check(arguments: Sequence[str], *, span: bool = False) -> None:
    """All that a line in a block of code is held to; of a ``span``, what it says."""
    verb, told = parsed(arguments, lenient=span)
    if verb in EVALUATIONS:
        if not (span and (told.get("path") is None or "..." in arguments)):
            check_evaluation(arguments)
    elif (recipe := recipe_of(told)) is not None and not (span and recipe == "..."):
        check_recipe(verb, recipe, told)
    check_names(verb, told)


def check_evaluation(arguments: Sequence[str]) -> None:
    """Its arguments are a recipe, or make one, that binds. With ``--dry-run`` nothing that they name is read."""
    done = CliRunner().invoke(app, [*arguments, "--dry-run"])
    if done.exception is not None:
        raise done.exception


def recipe_of(told: dict[str, Any]) -> str | None:
    """The recipe that a verb is given; similarity takes one before its sets, which are NAME=FILE."""
    if (recipe := told.get("recipe")) is not None:
        return str(recipe)
    return next((str(each) for each in told.get("arguments") or [] if "=" not in each), None)


def check_recipe(verb: str, recipe: str, told: dict[str, Any]) -> None:
    """The recipe binds with its overrides; of a reader's own recipe, the keys of the overrides are legal."""
    stage, overrides = STAGE_OF.get(verb.removesuffix(" run")), told.get("overrides") or []
    if YOURS.fullmatch(recipe):
        for override in overrides:
            keys = override.partition("=")[0].split(".")
            assert stage is not None, f"{verb} takes recipes of any stage"
            assert keys[-1] in fields_at(recipe_model(stage), keys[:-1]), (
                f"no key {'.'.join(keys)} in a recipe of {verb}"
            )
        return
    composed = compose(locate(recipe), overrides)
    if told.get("strategy"):
        composed = with_strategies(composed, told["strategy"].split(","))
    bind_stage(composed, stage or composed.values["stage"])


def check_names(verb: str, told: dict[str, Any]) -> None:
    """Sources, benchmarks, stages and local files of this repository that are named exist."""
    if verb == "recipes schema":
        recipe_model(told["stage"])
    if verb.startswith("data") and told.get("source") in SOURCES.builtin:
        options = inspect.signature(SOURCES.load(told["source"])).parameters
        for option in told.get("options") or []:
            assert option.partition("=")[0] in options, f"no option {option} of the source {told['source']}"
    for option, seam in (("source", SOURCES), ("benchmark", BENCHMARKS), ("against", BENCHMARKS)):
        value = told.get(option)
        for name in value if isinstance(value, list | tuple) else [value] if verb.startswith("data") else []:
            if isinstance(name, str) and ":" not in name and not YOURS.fullmatch(name):
                assert name in seam.builtin, f"no {option} {name}"


@pytest.mark.parametrize(
    "block",
    [block for page in PAGES for block in blocks(page) if block.language == "yaml"],
    ids=lambda block: f"{block.page.relative_to(ROOT)}:{block.line}",
)
def test_a_recipe_binds_and_a_part_of_one_has_its_keys(block: Block, tmp_path: Path) -> None:
    for part in yaml.safe_load_all(block.text):
        if "stage" in part:
            (tmp_path / "recipe.yaml").write_text(block.text)
            bind(compose(tmp_path / "recipe.yaml"))
        else:
            assert any(legal(kind, part) for kind in map(recipe_model, STAGES)), part


def legal(kind: type[BaseModel], values: Any, path: tuple[str, ...] = ()) -> bool:
    """Whether every key may stand where it stands; below a key that holds anything, any may."""
    if isinstance(values, list):
        return all(legal(kind, value, (*path, "0")) for value in values)
    fields = fields_at(kind, path)
    if not isinstance(values, dict) or (path and not fields):
        return True
    return all(key in fields and legal(kind, value, (*path, key)) for key, value in values.items())


def test_what_is_not_checked_says_why_and_is_little() -> None:
    reasons = [line.partition(NOT_CHECKED)[2] for _, line in LINES if NOT_CHECKED.strip() in line]
    assert len(reasons) <= MOST_NOT_CHECKED
    assert all(len(reason) > 10 for reason in reasons)


def test_the_pages_were_read() -> None:
    """A page whose commands are not found would pass every test."""
    verbs = {parsed(command.arguments, lenient=command.span)[0] for command in COMMANDS}
    assert {"annotate", "train", "search", "study", "report", "attribute", "demo", *EVALUATIONS} <= verbs
    assert {"checkpoint push", "data stats", "trees show", "recipes schema", "similarity doctor"} <= verbs
    assert "similarity run" in verbs
    found = sum(len(list(blocks(page))) for page in PAGES)
    assert found > 100
    assert len([command for command in COMMANDS if not command.span]) > 60


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (["trian", "prm800k/7b"], "trian"),
        (["train", "prm800k/7b", "--sett", "a=1"], "--sett"),
        (["train"], "RECIPE"),
        (["train", "prm800k/8b"], "no such recipe"),
        (["train", "prm800k/7b", "--set", "train.learning_rate=1"], "unknown key"),
        (["train", "RECIPE", "--set", "train.learning_rate=1"], "no key"),
        (["train", "prm800k/7b", "--set", "train.packing=tre"], "illegal train.packing"),
        (["search", "prm800k/7b"], "another verb"),
        (["data", "stats", "FILE", "--source", "prm900k"], "no source"),
        (["evaluate", "RUN", "--grader", "mine"], "grader"),
        (["evaluate", "RUN", "--set", "grading.voter=text"], "unknown key"),
        (["evaluate", "RUN", "--anytime"], "--anytime"),
        (["evaluate", "steps", "FILE"], "no PRM to measure"),
        (
            ["evaluate", "steps", "evaluate/processbench-gsm8k", "--set", "threshold=2"],
            "illegal threshold",
        ),
        (["evaluate", "anytime", "evaluate/processbench-gsm8k"], "another verb"),
        (["evaluate", "steps", "recipes/evaluate/processbench-aime.yaml"], "no such recipe"),
        (["similarity", "synthetic/similarity", "--set", "pattern.preset=mine"], "illegal pattern.preset"),
        (["similarity", "RECIPE", "a=FILE", "--set", "patern.preset=paper"], "no key"),
        (["recipes", "schema", "tarin"], "unknown stage"),
    ],
)
def test_a_wrong_command_would_be_found(line: list[str], complaint: str) -> None:
    with pytest.raises((Exception, AssertionError)) as error:
        check(line)
    message = error.value.format_message() if hasattr(error.value, "format_message") else str(error.value)
    assert complaint in message
    assert isinstance(error.value, PrmkitError | AssertionError) or type(error.value).__name__.endswith(
        ("UsageError", "Parameter", "Option", "Choice", "NoSuchOption")
    )


SCRIPT = re.compile(r"(?:python3?|pytest[^\n`]*?) ((?:bench|tests)/[\w/.-]+\.py)((?: --?[\w-]+)*)")
FILE = re.compile(r"`((?:bench|tests|prmkit|recipes|docs)/[\w./-]+)(?:::\w+)?`")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_scripts_and_files_that_a_page_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for script, options in SCRIPT.findall(text):
        assert (ROOT / script).is_file(), script
        for option in options.split():
            assert option in (ROOT / script).read_text(encoding="utf-8"), f"{script} {option}"
    for name in FILE.findall(text):
        assert (ROOT / name.rstrip("/")).exists() or YOURS.fullmatch(Path(name).stem), name


def test_every_target_of_make_exists() -> None:
    targets = set(re.findall(r"^([\w./-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {found for page in PAGES for found in re.findall(r"(?:^| |`)make ([\w./-]+)", page.read_text("utf-8"))}
    assert {"demo", "test"} <= named & targets
    lines = {found for _, line in LINES for found in re.findall(r"^make ([\w./-]+)", line)}
    assert lines <= targets
