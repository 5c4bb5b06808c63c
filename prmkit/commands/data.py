"""``prmkit data``: look at corpora, and make files of trees from them."""

import dataclasses
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
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
from prmkit.errors import InputError, did_you_mean
from prmkit.run.activity import busy
from prmkit.run.files import writing
from prmkit.yaml_io import parse_value

if TYPE_CHECKING:
    from prmkit.sources.corpus import Corpus
    from prmkit.trees_io import RecordFile

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
    from prmkit.trees_io import to_record

    corpus = _corpus(path, source, options, stop_at_first_error=stop_at_first_error, min_steps=min_steps)
    with _files([corpus], out, overwrite=overwrite) as (file,):
        for tree in corpus:
            for record in trl_rows(tree) if form == "trl" else [to_record(tree)]:
                file.write(record)
    _tell(out, [corpus], {"wrote": file.count}, max_bad, as_json=as_json)


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

    corpora = _parts([_named(part) for part in parts], options)
    with _files(corpora, out, overwrite=overwrite) as (file,):
        for corpus in corpora:
            for tree in corpus:
                file.write(to_record(tree))
    _tell(out, corpora, {"wrote": file.count}, max_bad, as_json=as_json)


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
    corpus = _corpus(path, source, options)
    outs = [out] if validation_out is None else [out, validation_out]
    with _files([corpus], *outs, overwrite=overwrite) as files:
        for tree in draw(lambda: corpus, SampleConfig(size=size, unit=unit), seed):
            files[held_out(tree, validation, seed)].write(to_record(tree))
    counts = dict(zip(("wrote", "validation"), [file.count for file in files], strict=False))
    _tell(out, [corpus], counts, max_bad, as_json=as_json)


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

    weighted = [_weighted(part) for part in parts]
    corpora = _parts([part for part, _ in weighted], options)
    shares = [(corpus.__iter__, weight) for corpus, (_, weight) in zip(corpora, weighted, strict=True)]
    with _files(corpora, out, overwrite=overwrite) as (file,):
        for tree in blend(shares, SampleConfig(size=size, unit=unit), seed):
            file.write(to_record(tree))
    _tell(out, corpora, {"wrote": file.count}, max_bad, as_json=as_json)


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

    corpus, found = _corpus(path, source, options), Duplicates()
    with _files([corpus], out, overwrite=overwrite) as (file,):
        for tree in corpus:
            if found.is_new(tree):
                file.write(to_record(tree))
    counts = {"wrote": file.count, "repeated": found.repeated, "labels_differ": found.labels_differ}
    _tell(out, [corpus], counts, max_bad, as_json=as_json)


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

    unwanted, exact = _benchmarks(against, n), 0
    corpus = _corpus(path, source, options)
    with _files([corpus], out, _beside(out, "removed"), overwrite=overwrite) as (file, removed):
        for tree in corpus:
            match = unwanted.match(tree.problem)
            if match is None:
                file.write(to_record(tree))
            else:
                removed.write({"id": tree.problem.id, "prompt": tree.problem.prompt, **match._asdict()})
                exact += match.how == "exact"
    counts = {"wrote": file.count, "removed": removed.count, "exact": exact}
    _tell(out, [corpus], counts, max_bad, as_json=as_json)


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


def _corpus(path: str, source: str, options: list[str] | None, **shape: Any) -> "Corpus":
    """A corpus that is read to its end however many rows are bad: ``_tell`` has the last word."""
    from prmkit.sources.corpus import Corpus

    pairs = [option.partition("=") for option in options or []]
    for key, equals, _ in pairs:
        if not (key and equals):
            raise InputError("an option of a source is KEY=VALUE", where="--set", got=key)
    values = {key: parse_value(value, where="--set") for key, _, value in pairs}
    return Corpus(source, path, options=values, max_bad=1.0, **shape)


def _parts(named: Sequence[tuple[str, str]], options: list[str] | None) -> list["Corpus"]:
    """The corpora of several sources and paths, and the options that each has under the name of its source."""
    of_source: dict[str, list[str]] = {source: [] for source, _ in named}
    for option in options or []:
        source, dot, own = option.partition("=")[0].rpartition(".")
        if not (dot and own and source in of_source):
            raise InputError(
                "an option of a part is SOURCE.KEY=VALUE",
                where="--set",
                got=option,
                expected=f"one of the sources {', '.join(of_source)}",
                cure=did_you_mean(source, of_source),
            )
        of_source[source].append(option.removeprefix(f"{source}."))
    return [_corpus(path, source, of_source[source]) for source, path in named]


def _named(text: str) -> tuple[str, str]:
    """A source and its path."""
    source, _, path = text.partition("=")
    if not (source and path):
        raise InputError("a part is SOURCE=PATH", got=text)
    return source, path


def _weighted(text: str) -> tuple[tuple[str, str], float]:
    """A source and its path, and their weight."""
    source, path = _named(text)
    before, _, weight = path.rpartition("@")
    try:
        number = float(weight) if before else 1.0
    except ValueError:  # the name of a file may hold an @
        number, before = 1.0, ""
    return (source, before or path), number


def _benchmarks(against: Sequence[str], n: int) -> Any:
    """The problems of benchmarks, to compare with."""
    from prmkit.benchmarks import load
    from prmkit.sources.decontaminate import Benchmarks

    problems = []
    for name, _, file in (each.partition("=") for each in against):
        with busy(f"reading {name}"):
            problems += [(name, problem) for problem in load(name, path=Path(file) if file else None)]
    return Benchmarks(problems, n)


def _counter(name: str) -> Any:
    from prmkit.models.backbone import load_tokenizer

    tokenizer = load_tokenizer(name)
    return lambda text: len(tokenizer(text, add_special_tokens=False)["input_ids"])


@contextmanager
def _files(corpora: Sequence["Corpus"], *outs: Path, overwrite: bool) -> Iterator[list["RecordFile"]]:
    """New files for the block to write, and the quarantine of the corpora beside the first one.

    They are there as a whole when the block ends. If it fails, or is interrupted, all that stood there stays.
    """
    from prmkit.sources.corpus import write_quarantine
    from prmkit.trees_io import record_file

    if len({out.absolute() for out in outs}) < len(outs):
        raise InputError("two files of one name", where=outs[0], cure="Give each its own.")
    with busy(f"writing {outs[0]}"), ExitStack() as stack:
        for out in outs:
            stack.enter_context(writing(out, resumes=False))
        files = [stack.enter_context(record_file(out, overwrite=overwrite)) for out in outs]
        yield files
        write_quarantine(_beside(outs[0], "quarantine"), corpora)


def _beside(out: Path, what: str) -> Path:
    return out.with_name(f"{out.name}.{what}")


def _tell(out: Path, corpora: Sequence["Corpus"], counts: dict[str, Any], max_bad: float, *, as_json: bool) -> None:
    """Print the account, and refuse too many bad rows."""
    if any(corpus.bad for corpus in corpora):
        counts["quarantine"] = str(_beside(out, "quarantine"))
    records = [corpus.record().model_dump() for corpus in corpora]
    read = records[0] if len(records) == 1 else {"corpora": records}
    print_record({"out": str(out), **counts, **read}, as_json=as_json)
    for corpus in corpora:
        corpus.refuse_bad(max_bad)
