"""``prmkit data``: look at corpora, and make files of trees from them."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from prmkit.commands.console import (
    JsonOption,
    OverwriteOption,
    RecipeArgument,
    SetOption,
    print_record,
    print_table,
)
from prmkit.commands.runs import composed_recipe
from prmkit.errors import InputError
from prmkit.run.files import refuse_existing
from prmkit.yaml_io import parse_value

if TYPE_CHECKING:
    from prmkit.sources import Corpus
    from prmkit.tree import StepTree

app = typer.Typer(help="Read, measure, convert, sample, mix, clean and download corpora.", rich_markup_mode=None)

CorpusArgument = Annotated[
    str, typer.Argument(metavar="PATH", help="A file, a folder of files, or hub:org/name[:split].")
]
SourceOption = Annotated[
    str, typer.Option("--source", metavar="NAME", help="Which corpus it is: see prmkit data list.")
]
ReadingOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="An option of the source, such as neutral=negative. Repeatable."),
]
MaxBadOption = Annotated[
    float, typer.Option("--max-bad", min=0, max=1, help="The share of bad rows above which the exit code is 2.")
]
FirstErrorOption = Annotated[
    bool, typer.Option("--stop-at-first-error", help="Leave out the steps that follow a wrong one.")
]
MinStepsOption = Annotated[int, typer.Option("--min-steps", min=0, help="Leave out solutions with fewer steps.")]
TreesFileOption = Annotated[Path, typer.Option("--out", metavar="FILE", help="The file of trees to write.")]
SizeOption = Annotated[int, typer.Option("--size", min=1, help="How much is kept.")]
UnitOption = Annotated[Literal["trees", "solutions", "labels"], typer.Option("--unit", help="What the size counts.")]
SeedOption = Annotated[int, typer.Option("--seed", min=0, help="Of every random choice.")]


@app.command("list")
def list_sources(as_json: JsonOption = False) -> None:
    """List the corpora that can be read, and their options."""
    import importlib
    import inspect

    from prmkit.sources import SOURCES

    rows = []
    for name, dotpath in sorted(SOURCES.builtin.items()):
        module = importlib.import_module(dotpath.partition(":")[0])
        options = list(inspect.signature(SOURCES.load(name)).parameters.values())[2:]
        about = inspect.cleandoc(module.__doc__ or "").partition("\n\n")[0].replace("\n", " ")
        rows.append((name, ", ".join(f"{option.name}={option.default}" for option in options), about))
    print_table(("source", "options", "about"), rows, as_json=as_json)


@app.command("stats")
def stats(
    path: CorpusArgument,
    source: SourceOption,
    options: ReadingOption = None,
    tokenizer: Annotated[
        str | None, typer.Option("--tokenizer", metavar="NAME", help="Counts tokens; without, words are counted.")
    ] = None,
    size: Annotated[
        int, typer.Option("--size", min=1, help="Of the sample that the row `sampled` tells of.")
    ] = 400_000,
    unit: UnitOption = "labels",
    max_bad: MaxBadOption = 0.01,
    stop_at_first_error: FirstErrorOption = False,
    min_steps: MinStepsOption = 0,
    as_json: JsonOption = False,
) -> None:
    """Count a corpus: rows kept and not, sizes, label balance, steps, tokens, and what is said more than once."""
    from prmkit.sources.stats import CorpusStats, words

    corpus = _corpus(path, source, options, stop_at_first_error=stop_at_first_error, min_steps=min_steps)
    found = CorpusStats(_counter(tokenizer) if tokenizer is not None else words)
    for tree in corpus:
        found.add(tree)
    total = found.sizes[unit]
    figures = {"unit": unit, "total": total, "sampled": min(size, total), **found.as_dict()}
    bad = [{"where": row["where"], "error": row["error"]} for row in corpus.bad[:5]]
    record = {**corpus.record().model_dump(), **figures, "token": tokenizer or "word", "bad": bad}
    print_record(record, as_json=as_json)
    corpus.refuse_bad(max_bad)


@app.command("convert")
def convert(
    path: CorpusArgument,
    source: SourceOption,
    out: TreesFileOption,
    form: Annotated[Literal["trees", "trl"], typer.Option("--to", help="prmkit's own form, or TRL's.")] = "trees",
    options: ReadingOption = None,
    max_bad: MaxBadOption = 0.01,
    stop_at_first_error: FirstErrorOption = False,
    min_steps: MinStepsOption = 0,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write a corpus as trees, or as rows of TRL's form; bad rows go to FILE.quarantine."""
    from prmkit.sources.trl import trl_rows
    from prmkit.trees_io import write_records

    corpus = _corpus(path, source, options, stop_at_first_error=stop_at_first_error, min_steps=min_steps)
    if form == "trees":
        wrote = _write(out, corpus, overwrite=overwrite)
    else:
        _make_room(out, overwrite=overwrite)
        wrote = write_records(out, (row for tree in corpus for row in trl_rows(tree)))
    _finish(out, [corpus], {"wrote": wrote}, max_bad, as_json=as_json)


@app.command("sample")
def sample(
    path: CorpusArgument,
    source: SourceOption,
    out: TreesFileOption,
    size: SizeOption = 400_000,
    unit: UnitOption = "labels",
    seed: SeedOption = 0,
    validation: Annotated[
        float, typer.Option("--validation", min=0, max=0.9, help="Share of the problems that go to --validation-out.")
    ] = 0.0,
    validation_out: Annotated[
        Path | None, typer.Option("--validation-out", metavar="FILE", help="The trees held out.")
    ] = None,
    options: ReadingOption = None,
    max_bad: MaxBadOption = 0.01,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Draw whole problems at random, and split them so that none is on both sides."""
    from prmkit.sources.sample import SampleConfig, held_out
    from prmkit.sources.sample import sample as draw

    if (validation > 0) != (validation_out is not None):
        raise InputError("--validation and --validation-out belong together", got=validation)
    corpus = _corpus(path, source, options)
    config = SampleConfig(size=size, unit=unit)
    wrote = _write(
        out, (t for t in draw(lambda: corpus, config, seed) if not held_out(t, validation, seed)), overwrite=overwrite
    )
    counts = {"wrote": wrote}
    if validation_out is not None:
        rest = (t for t in draw(lambda: corpus, config, seed) if held_out(t, validation, seed))
        counts["validation"] = _write(validation_out, rest, overwrite=overwrite)
    _finish(out, [corpus], counts, max_bad, as_json=as_json)


@app.command("mix")
def mix(
    parts: Annotated[
        list[str], typer.Argument(metavar="SOURCE=PATH[@WEIGHT]...", help="Corpora and their weights, 1 by default.")
    ],
    out: TreesFileOption,
    size: SizeOption = 400_000,
    unit: UnitOption = "labels",
    seed: SeedOption = 0,
    max_bad: MaxBadOption = 0.01,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write one file from several corpora, each with its share."""
    from prmkit.sources.sample import SampleConfig
    from prmkit.sources.sample import mix as blend

    weighted = [_part(part) for part in parts]
    corpora = [corpus for corpus, _ in weighted]
    config = SampleConfig(size=size, unit=unit)
    trees = blend([(corpus.__iter__, weight) for corpus, weight in weighted], config, seed)
    _finish(out, corpora, {"wrote": _write(out, trees, overwrite=overwrite)}, max_bad, as_json=as_json)


@app.command("decontaminate")
def decontaminate(
    path: CorpusArgument,
    source: SourceOption,
    out: TreesFileOption,
    against: Annotated[
        list[str],
        typer.Option("--against", metavar="BENCHMARK[=PATH]", help="A benchmark whose problems must go. Repeatable."),
    ],
    n: Annotated[int, typer.Option("--ngram", min=1, help="Words in a row that two problems must not share.")] = 13,
    options: ReadingOption = None,
    max_bad: MaxBadOption = 0.01,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Leave out the problems of benchmarks, exact and nearly so, and list them in FILE.removed."""
    from prmkit.benchmarks import load
    from prmkit.sources.decontaminate import Benchmarks
    from prmkit.trees_io import write_records

    pairs = [each.partition("=") for each in against]
    unwanted = Benchmarks(
        ((name, problem) for name, _, file in pairs for problem in load(name, path=Path(file) if file else None)), n
    )
    corpus = _corpus(path, source, options)
    removed: list[dict[str, Any]] = []

    def clean() -> Iterable["StepTree"]:
        for tree in corpus:
            match = unwanted.match(tree.problem)
            if match is None:
                yield tree
            else:
                removed.append({"id": tree.problem.id, "prompt": tree.problem.prompt, **match._asdict()})

    wrote = _write(out, clean(), overwrite=overwrite)
    listed = _beside(out, "removed")
    _make_room(listed, overwrite=overwrite)
    write_records(listed, removed)
    counts = {"wrote": wrote, "removed": len(removed), "exact": sum(each["how"] == "exact" for each in removed)}
    _finish(out, [corpus], counts, max_bad, as_json=as_json)


@app.command("prepare")
def prepare(recipe: RecipeArgument, overrides: SetOption = None, as_json: JsonOption = False) -> None:
    """Turn the corpus of a training recipe into token rows, which prmkit train then finds; needs no GPU."""
    import time

    from prmkit.recipe.bind import bind_stage
    from prmkit.recipe.stages.train import TrainRecipe, prepare_rows

    start = time.monotonic()
    bound = bind_stage(composed_recipe(recipe, overrides), "train")
    assert isinstance(bound, TrainRecipe)
    rows = prepare_rows(bound)
    counts = dataclasses.asdict(rows.about.counts)
    record = {
        "prepared": "made" if rows.made else "there",
        "folder": str(rows.folder),
        "bytes": rows.about.bytes,
        "tokens": rows.about.tokens,
        **counts,
        "seconds": round(time.monotonic() - start, 2),
        "corpus": rows.about.corpus.model_dump(),
    }
    print_record(record, as_json=as_json)


@app.command("download")
def download(
    what: Annotated[str, typer.Argument(metavar="WHAT", help="An asset by name, an http address, or hub:org/name.")],
    out: Annotated[Path, typer.Option("--out", metavar="FILE", help="The file, or of the hub the folder, to write.")],
    sha256: Annotated[str | None, typer.Option("--sha256", help="The hash that the file must have.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch a corpus in parallel parts. Asked again after an interruption, it goes on where it was."""
    import signal

    from prmkit.download import download as fetch

    last = -1

    def done(got: int, total: int) -> None:
        nonlocal last
        if total and got * 10 // total > last:
            last = got * 10 // total
            typer.echo(f"{got / 1e6:.1f} of {total / 1e6:.1f} MB", err=True)

    # hf-transfer holds Python back, which would hear a Ctrl-C late. What has come is kept however the process ends.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        found = fetch(what, out, sha256=sha256, done=done)
    finally:
        signal.signal(signal.SIGINT, before)
    print_record({"wrote": str(out), "sha256" if out.is_file() else "folder": found}, as_json=as_json)


def _corpus(path: str, source: str, options: list[str] | None, **shape: Any) -> "Corpus":
    """A corpus that is read to its end however many rows are bad: ``_finish`` has the last word."""
    from prmkit.sources import Corpus

    pairs = [option.partition("=") for option in options or []]
    for key, equals, _ in pairs:
        if not (key and equals):
            raise InputError("an option of a source is KEY=VALUE", where="--set", got=key)
    values = {key: parse_value(value, where="--set") for key, _, value in pairs}
    return Corpus(source, path, options=values, max_bad=1.0, **shape)


def _part(text: str) -> tuple["Corpus", float]:
    source, _, rest = text.partition("=")
    path, at, weight = rest.rpartition("@")
    try:
        number = float(weight) if at else 1.0
    except ValueError:  # the name of a file may hold an @
        at, number = "", 1.0
    if not at:
        path = rest
    if not (source and path):
        raise InputError("a part of a mix is SOURCE=PATH or SOURCE=PATH@WEIGHT", got=text)
    return _corpus(path, source, None), number


def _counter(name: str) -> Any:
    from prmkit.models.backbone import load_tokenizer

    tokenizer = load_tokenizer(name)
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])


def _write(out: Path, trees: Iterable["StepTree"], *, overwrite: bool) -> int:
    from prmkit.trees_io import write_trees

    _make_room(out, overwrite=overwrite)
    return write_trees(out, trees)


def _make_room(out: Path, *, overwrite: bool) -> None:
    refuse_existing(out, overwrite=overwrite)
    out.unlink(missing_ok=True)


def _beside(out: Path, what: str) -> Path:
    return out.with_name(f"{out.name}.{what}")


def _finish(out: Path, corpora: list["Corpus"], counts: dict[str, Any], max_bad: float, *, as_json: bool) -> None:
    """Write the quarantine, print the account, and refuse too many bad rows."""
    from prmkit.sources import write_quarantine

    quarantine = _beside(out, "quarantine")
    if write_quarantine(quarantine, corpora):
        counts["quarantine"] = str(quarantine)
    records = [corpus.record().model_dump() for corpus in corpora]
    read = records[0] if len(records) == 1 else {"corpora": records}
    print_record({"out": str(out), **counts, **read}, as_json=as_json)
    for corpus in corpora:
        corpus.refuse_bad(max_bad)
