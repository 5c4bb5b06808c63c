"""Token rows of a corpus from the cache, or made and put there: once, whoever asks for them at the same time."""

import logging
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import orjson
from filelock import FileLock

from prmkit.errors import InputError
from prmkit.packing.encode import StepEncoder
from prmkit.packing.rows import EncodedTrees, RowShape
from prmkit.prepare.content import content_of, is_commit
from prmkit.prepare.files import META, QUARANTINE, Damaged, Prepared, RowWriter, open_rows, read_about
from prmkit.prepare.key import Key, key_of, name_of
from prmkit.prepare.portions import Encoding, portions
from prmkit.rows_io import hub_place
from prmkit.run.activity import Activity, busy
from prmkit.run.files import cache_folder, whole_folder, writing
from prmkit.sources.corpus import Corpus, Counts, write_bad
from prmkit.sources.reading import Reading

_LOG = logging.getLogger(__name__)

_FORESEEN_AT = 16 << 20
"""Bytes read after which the disk that the whole will need is foreseen."""

_ELSEWHERE = "Set PRMKIT_CACHE to a folder elsewhere."


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedRows:
    """Rows that are prepared: what is known of them, where they lie, and whether they were made just now."""

    about: Prepared
    encoded: EncodedTrees
    folder: Path
    made: bool


def prepared_rows(corpus: Corpus, encoder: StepEncoder, shape: RowShape) -> PreparedRows:
    """The rows of a corpus; they are made where they are not in the cache.

    The corpus then knows what became of its rows, as if it had been read. Of several processes that ask for the same
    rows at once, one makes them and the others wait.

    Raises:
        InputError: the corpus is refused (see Corpus), or the cache cannot be written.
        RunError: a worker process died.
    """
    root = _root()
    with _writing(root):
        root.mkdir(parents=True, exist_ok=True)
    key = key_of(corpus, _content(corpus.path), encoder, shape)
    folder = root / name_of(key)
    found = _opened(folder, key)
    made = False
    if found is None:
        with _alone(folder):
            found = _opened(folder, key, warn=True)  # another process may have made it meanwhile
            if found is None:
                _make(folder, key, corpus, encoder, shape)
                made, found = True, open_rows(folder)
    about, encoded = found
    corpus.counts = Counts(**about.corpus.model_dump(include=set(Counts.__slots__)))
    corpus.bad = _bad_rows(folder / QUARANTINE)
    return PreparedRows(about=about, encoded=encoded, folder=folder, made=made)


def find_prepared(corpus: Corpus, encoder: StepEncoder, shape: RowShape) -> Prepared | None:
    """What is known of the rows of a corpus, if they are in the cache; nothing is made, and the hub is not asked.

    Raises:
        InputError: the corpus is not there.
    """
    content = content_of(corpus.path) if hub_place(corpus.path) is None else _last_commit(corpus.path)
    return None if content is None else _read(_root() / name_of(key_of(corpus, content, encoder, shape)) / META)


def _root() -> Path:
    return cache_folder() / "prepared"


def _writing(path: Path) -> AbstractContextManager[None]:
    return writing(path, resumes=False, elsewhere=_ELSEWHERE)


def _content(path: str) -> str:
    """What is at a path; where the hub cannot be reached, what was there when its rows were prepared last."""
    try:
        return content_of(path)
    except InputError as error:
        commit = _last_commit(path) if hub_place(path) is not None else None
        if commit is None:
            raise
        _LOG.warning("%s; its rows of commit %s are used", error, commit[:12])
        return commit


def _last_commit(path: str) -> str | None:
    """Of a data set of the hub, the one whose rows were prepared last."""
    contents = (str(found.key.get("content")) for found in _before(path))
    return next(filter(is_commit, contents), None)


def _before(path: str) -> list[Prepared]:
    """What was prepared of the corpus at a path, the last one first."""
    files = sorted(_root().glob(f"*/{META}"), key=_written_at, reverse=True)
    return [found for file in files if (found := _read(file)) is not None and found.corpus.path == path]


def _written_at(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:  # another process has just removed it
        return 0.0


def _opened(folder: Path, key: Key, *, warn: bool = False) -> tuple[Prepared, EncodedTrees] | None:
    """What is in a folder; None where there is nothing, or nothing that can be used."""
    if not folder.exists():
        return None
    try:
        with busy("checking the prepared rows"):
            about, encoded = open_rows(folder)
        if about.key != key:
            raise Damaged(f"{META}: it is of other rows")
    except Damaged as error:
        if warn:
            _LOG.warning("%s is damaged (%s); it is made again", folder, error)
        return None
    return about, encoded


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    lock = FileLock(f"{folder}.lock")
    with busy("waiting for another process that prepares the same rows"), _writing(folder):
        try:
            lock.acquire()
        except NotImplementedError:  # two that write there would not know of each other
            raise InputError("the file system has no locks", where=folder.parent, cure=_ELSEWHERE) from None
    try:
        yield
    finally:
        lock.release()


def _make(folder: Path, key: Key, corpus: Corpus, encoder: StepEncoder, shape: RowShape) -> None:
    revision = key["content"] if is_commit(key["content"]) else None
    _say_what_changed(corpus.path, key)
    with _writing(folder):
        _remove(folder)
    with _writing(folder), whole_folder(folder) as partial, RowWriter(partial) as writer:
        _write(Encoding(corpus, revision, encoder, shape), writer, partial)
        if revision is None and content_of(corpus.path) != key["content"]:
            raise InputError(
                "the corpus changed while it was being prepared",
                where=corpus.path,
                cure="Start again when nothing writes to it.",
            )
        write_bad(partial / QUARANTINE, corpus.bad)
        writer.finish(key, corpus.record())


def _remove(folder: Path) -> None:
    """Remove what stands in the place of a folder, and is damaged."""
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    else:
        shutil.rmtree(folder, ignore_errors=True)


def _write(encoding: Encoding, writer: RowWriter, folder: Path) -> None:
    corpus, needed = encoding.corpus, 0
    with busy(f"preparing {corpus.path}") as activity:
        reading = Reading(activity, corpus.path)
        for portion in portions(encoding):
            writer.add(portion.encoded)
            reading.note(corpus.counts.read, corpus.counts.quarantined, portion.read)
            if activity.share and not needed and (portion.read >= _FORESEEN_AT or activity.share == 1):
                needed = round(writer.size / activity.share)
                _refuse_too_large(folder, needed, needed - writer.size)
            _tell(activity, writer.tokens, needed)


def _tell(activity: Activity, tokens: int, needed: int) -> None:
    """What is to be said beside how much of the corpus has been read."""
    activity.figures["tokens/s"] = f"{tokens / max(activity.seconds, 1e-9):,.0f}"
    if activity.share:
        activity.figures["s to go"] = f"{activity.seconds * (1 / activity.share - 1):.0f}"
    if needed:
        activity.figures["GB on the disk in the end"] = f"{needed / 1e9:.2f}"


def _refuse_too_large(folder: Path, needed: int, more: int) -> None:
    free = shutil.disk_usage(folder).free
    if more > free:
        raise InputError(
            "the disk has too little room for the prepared rows",
            where=folder.parent,
            got=f"{free / 1e9:.2f} GB",
            expected=f"{more / 1e9:.2f} more of some {needed / 1e9:.2f} GB",
            cure=f"Make room. {_ELSEWHERE}",
        )


def _say_what_changed(path: str, key: Key) -> None:
    """Why rows of a corpus that has been prepared before are made again, if it is not the user who asks for others."""
    differing = [{name for name in key if found.key.get(name) != key[name]} for found in _before(path)]
    for named, said in (
        ({"content"}, "has changed"),
        ({"tokenizer"}, "was prepared for another tokenizer"),
        ({"versions"}, "was prepared by other versions of prmkit or its tokenizers"),
    ):
        if any(names == named for names in differing):
            _LOG.warning("%s %s; it is prepared again", path, said)


def _read(file: Path) -> Prepared | None:
    try:
        return read_about(file)
    except Damaged:
        return None


def _bad_rows(file: Path) -> list[dict[str, str]]:
    return [orjson.loads(line) for line in file.read_bytes().splitlines()] if file.is_file() else []
