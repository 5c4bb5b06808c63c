"""``prmkit data``: look at corpora, and make files of trees from them."""

import dataclasses
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from prmkit.commands.console import (
    JsonOption,
    OverwriteOption,
    RecipeArgument,
    SetOption,
    print_record,
    print_table,
)
from prmkit.commands.corpora import (
    benchmarks_of,
    beside,
    corpora_of,
    corpus_at,
    named_part,
    new_files,
    tell,
    weighted_part,
)
from prmkit.commands.runs import composed_recipe
from prmkit.errors import InputError

app = typer.Typer(
    help="Read, measure, convert, merge, sample, mix, deduplicate, decontaminate, prepare and download corpora.",
    rich_markup_mode=None,
)

_SECONDS_BETWEEN_LINES = 10.0

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
PartsReadingOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="SOURCE.KEY=VALUE", help="An option of a source, such as prm800k.neutral=negative. Repeatable."
    ),
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

    corpus = corpus_at(path, source, options, stop_at_first_error=stop_at_first_error, min_steps=min_steps)
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
    from prmkit.trees_io import to_record

    corpus = corpus_at(path, source, options, stop_at_first_error=stop_at_first_error, min_steps=min_steps)
    with new_files([corpus], out, overwrite=overwrite) as (file,):
        for tree in corpus:
            for record in trl_rows(tree) if form == "trl" else [to_record(tree)]:
                file.write(record)
    tell(out, [corpus], {"wrote": file.count}, max_bad, as_json=as_json)


@app.command("merge")
def merge(
    parts: Annotated[list[str], typer.Argument(metavar="SOURCE=PATH...", help="Corpora, in this order.")],
    out: TreesFileOption,
    options: PartsReadingOption = None,
    max_bad: MaxBadOption = 0.01,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write all trees of several corpora to one file, one corpus after the other; bad rows go to FILE.quarantine."""
    from prmkit.trees_io import to_record

    corpora = corpora_of([named_part(part) for part in parts], options)
    with new_files(corpora, out, overwrite=overwrite) as (file,):
        for corpus in corpora:
            for tree in corpus:
                file.write(to_record(tree))
    tell(out, corpora, {"wrote": file.count}, max_bad, as_json=as_json)


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
    from prmkit.trees_io import to_record

    if (validation > 0) != (validation_out is not None):
        raise InputError("--validation and --validation-out belong together", got=validation)
    corpus = corpus_at(path, source, options)
    outs = [out] if validation_out is None else [out, validation_out]
    with new_files([corpus], *outs, overwrite=overwrite) as files:
        for tree in draw(lambda: corpus, SampleConfig(size=size, unit=unit), seed):
            files[held_out(tree, validation, seed)].write(to_record(tree))
    counts = dict(zip(("wrote", "validation"), [file.count for file in files], strict=False))
    tell(out, [corpus], counts, max_bad, as_json=as_json)


@app.command("mix")
def mix(
    parts: Annotated[
        list[str], typer.Argument(metavar="SOURCE=PATH[@WEIGHT]...", help="Corpora and their weights, 1 by default.")
    ],
    out: TreesFileOption,
    size: SizeOption = 400_000,
    unit: UnitOption = "labels",
    seed: SeedOption = 0,
    options: PartsReadingOption = None,
    max_bad: MaxBadOption = 0.01,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Write one file from several corpora, each with its share."""
    from prmkit.sources.sample import SampleConfig
    from prmkit.sources.sample import mix as blend
    from prmkit.trees_io import to_record

    weighted = [weighted_part(part) for part in parts]
    corpora = corpora_of([part for part, _ in weighted], options)
    shares = [(corpus.__iter__, weight) for corpus, (_, weight) in zip(corpora, weighted, strict=True)]
    with new_files(corpora, out, overwrite=overwrite) as (file,):
        for tree in blend(shares, SampleConfig(size=size, unit=unit), seed):
            file.write(to_record(tree))
    tell(out, corpora, {"wrote": file.count}, max_bad, as_json=as_json)


@app.command("deduplicate")
def deduplicate(
    path: CorpusArgument,
    source: SourceOption,
    out: TreesFileOption,
    options: ReadingOption = None,
    max_bad: MaxBadOption = 0.01,
    overwrite: OverwriteOption = False,
    as_json: JsonOption = False,
) -> None:
    """Leave out trees that say again what an earlier one said: the same steps for the same problem.

    Spaces, the order of alternatives and labels make no difference. The first tree stays as it is; how many of the
    others had other labels is told.
    """
    from prmkit.sources.deduplicate import Duplicates
    from prmkit.trees_io import to_record

    corpus, found = corpus_at(path, source, options), Duplicates()
    with new_files([corpus], out, overwrite=overwrite) as (file,):
        for tree in corpus:
            if found.is_new(tree):
                file.write(to_record(tree))
    counts = {"wrote": file.count, "repeated": found.repeated, "labels_differ": found.labels_differ}
    tell(out, [corpus], counts, max_bad, as_json=as_json)


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
    from prmkit.trees_io import to_record

    unwanted, exact = benchmarks_of(against, n), 0
    corpus = corpus_at(path, source, options)
    with new_files([corpus], out, beside(out, "removed"), overwrite=overwrite) as (file, removed):
        for tree in corpus:
            match = unwanted.match(tree.problem)
            if match is None:
                file.write(to_record(tree))
            else:
                removed.write({"id": tree.problem.id, "prompt": tree.problem.prompt, **match._asdict()})
                exact += match.how == "exact"
    counts = {"wrote": file.count, "removed": removed.count, "exact": exact}
    tell(out, [corpus], counts, max_bad, as_json=as_json)


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
    import time

    from prmkit.download import download as fetch

    start = last = time.monotonic()
    tenths = -1

    def done(got: int, total: int) -> None:
        """A line at each tenth, and after ten seconds at the latest."""
        nonlocal last, tenths
        now = time.monotonic()
        if total and (got * 10 // total > tenths or now - last >= _SECONDS_BETWEEN_LINES):
            last, tenths = now, got * 10 // total
            typer.echo(f"{got / 1e6:.1f} of {total / 1e6:.1f} MB, {now - start:.0f} s", err=True)

    # hf-transfer holds Python back, which would hear a Ctrl-C late. What has come is kept however the process ends.
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        found = fetch(what, out, sha256=sha256, done=done)
    finally:
        signal.signal(signal.SIGINT, before)
    print_record({"wrote": str(out), "sha256" if out.is_file() else "folder": found}, as_json=as_json)


def _counter(name: str) -> Any:
    from prmkit.models.tokenizer import load_tokenizer

    tokenizer = load_tokenizer(name)
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])
