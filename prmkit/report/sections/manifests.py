"""How to run everything again: the commands, and each run's recipe, seed, versions and inputs."""

import shlex
from collections.abc import Iterator, Sequence

from prmkit.report.blocks import Block, Code, Prose, Section
from prmkit.report.read import Run
from prmkit.yaml_io import dump_yaml


def manifests(runs: Sequence[Run]) -> Section:
    """A command a run, and its manifest folded away."""
    commands = [command for run in runs for command in _commands(run)]
    commands.append(f"prmkit report {shlex.join(str(run.path) for run in runs)}")
    about = "The commands run each recipe with every value as it was, then write this page again."
    return Section("How to run it again", [Prose([about]), Code(text="\n".join(commands)), *_records(runs)])


def _commands(run: Run) -> Iterator[str]:
    folder = str(run.path)
    if run.stage == "evaluate":
        named = {"--prm": "prm", "--source": "source", "--benchmark": "benchmark"}
        options = [part for option, key in named.items() if run.recipe.get(key) for part in (option, run.recipe[key])]
        if run.recipe.get("threshold") is not None:
            chosen = isinstance(run.recipe["threshold"], str)
            options += ["--choose-on" if chosen else "--threshold", run.recipe["threshold"]]
        given = [str(part) for part in (run.recipe.get("path"), *options)]
        yield shlex.join(["prmkit", "evaluate", *given, "--out", f"{folder}-again"])
        return
    yield shlex.join(["prmkit", run.stage, f"{folder}/run.yaml", "--out", f"{folder}-again"])
    for one in run.members or (run,):
        if one.evaluation is not None:
            yield shlex.join(["prmkit", "evaluate", f"{folder}-again{str(one.path).removeprefix(folder)}"])
    if run.anytime:
        yield shlex.join(["prmkit", "evaluate", f"{folder}-again", "--anytime"])


def _records(runs: Sequence[Run]) -> Iterator[Block]:
    for run in runs:
        yield Code(title=f"{run.name} ({run.stage}): run.yaml", text=dump_yaml(run.record))
