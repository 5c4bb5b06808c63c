"""Corpora as the commands of ``prmkit data`` name them, and the files of trees that these write."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from prmkit.commands.console import print_record
from prmkit.errors import InputError, did_you_mean
from prmkit.run.activity import busy
from prmkit.run.files import writing
from prmkit.yaml_io import parse_value

if TYPE_CHECKING:
    from prmkit.sources.corpus import Corpus
    from prmkit.sources.decontaminate import Benchmarks
    from prmkit.trees_io import RecordFile


def corpus_at(path: str, source: str, options: list[str] | None, **shape: Any) -> "Corpus":
    """A corpus that is read to its end however many rows are bad: ``tell`` has the last word."""
    from prmkit.sources.corpus import Corpus

    pairs = [option.partition("=") for option in options or []]
    for key, equals, _ in pairs:
        if not (key and equals):
            raise InputError("an option of a source is KEY=VALUE", where="--set", got=key)
    values = {key: parse_value(value, where="--set") for key, _, value in pairs}
    return Corpus(source, path, options=values, max_bad=1.0, **shape)


def corpora_of(named: Sequence[tuple[str, str]], options: list[str] | None) -> list["Corpus"]:
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
    return [corpus_at(path, source, of_source[source]) for source, path in named]


def named_part(text: str) -> tuple[str, str]:
    """A source and its path."""
    source, _, path = text.partition("=")
    if not (source and path):
        raise InputError("a part is SOURCE=PATH", got=text)
    return source, path


def weighted_part(text: str) -> tuple[tuple[str, str], float]:
    """A source and its path, and their weight."""
    source, path = named_part(text)
    before, _, weight = path.rpartition("@")
    try:
        number = float(weight) if before else 1.0
    except ValueError:  # the name of a file may hold an @
        number, before = 1.0, ""
    return (source, before or path), number


def benchmarks_of(against: Sequence[str], n: int) -> "Benchmarks":
    """The problems of benchmarks, to compare with."""
    from prmkit.benchmarks import load
    from prmkit.sources.decontaminate import Benchmarks

    problems = []
    for name, _, file in (each.partition("=") for each in against):
        with busy(f"reading {name}"):
            problems += [(name, problem) for problem in load(name, path=Path(file) if file else None)]
    return Benchmarks(problems, n)


@contextmanager
def new_files(corpora: Sequence["Corpus"], *outs: Path, overwrite: bool) -> Iterator[list["RecordFile"]]:
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
        write_quarantine(beside(outs[0], "quarantine"), corpora)


def beside(out: Path, what: str) -> Path:
    """The file beside ``out`` that says what became of the rest."""
    return out.with_name(f"{out.name}.{what}")


def tell(out: Path, corpora: Sequence["Corpus"], counts: dict[str, Any], max_bad: float, *, as_json: bool) -> None:
    """Print the account, and refuse too many bad rows."""
    if any(corpus.bad for corpus in corpora):
        counts["quarantine"] = str(beside(out, "quarantine"))
    records = [corpus.record().model_dump() for corpus in corpora]
    read = records[0] if len(records) == 1 else {"corpora": records}
    print_record({"out": str(out), **counts, **read}, as_json=as_json)
    for corpus in corpora:
        corpus.refuse_bad(max_bad)
