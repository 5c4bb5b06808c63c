"""Files of plain web servers, in parallel ranges: a download that was killed goes on, and its hash is checked.

``hf-transfer`` fetches a file and writes each part at its place. It does not tell which parts have come, but the file
does: what has not come is a hole. What it leaves out, killed or failed, the standard library fetches, and lists;
where the file system knows no holes, that is the whole file.

Data sets of the Hugging Face hub go through ``huggingface_hub``, which does the same for them.
"""

import contextlib
import hashlib
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prmkit.errors import InputError, PrmkitError, RunError
from prmkit.rows_io import HUB
from prmkit.run.files import cache_folder, refuse_existing
from prmkit.trees_io import append_lines, read_lines, repair_lines

ASSETS = {
    f"prm800k/phase{phase}_{split}": "https://media.githubusercontent.com/media/openai/prm800k/main/prm800k/data/"
    f"phase{phase}_{split}.jsonl"
    for phase in (1, 2)
    for split in ("train", "test")
}
"""Corpora that lie outside the hub, by name."""

_PART = 8 << 20
_THREADS, _ATTEMPTS, _TIMEOUT = 8, 4, 60.0


def download(
    what: str,
    out: Path,
    *,
    sha256: str | None = None,
    done: Callable[[int, int], None] = lambda got, total: None,
    part: int = _PART,
) -> str:
    """Fetch a file to ``out``, or a data set of the hub into the folder ``out``; returns the file's SHA-256 (of a data
    set, its folder).

    What has come is kept in ``out.partial``, and its version in ``out.parts``, until the whole is there and its hash is
    right; asked again, only the missing parts are fetched, unless the server's file is another one by then.

    hf-transfer holds the interpreter while it runs: no other thread of this process goes on, and Python hears a Ctrl-C
    when the next part has come.

    Args:
        what: a name in ASSETS, an address that begins with http, or ``hub:org/name``.
        out: must not exist.
        sha256: the hash that the file must have.
        done: told the bytes that are there and the bytes in all.
        part: bytes of one request; a multiple of the file system's block.

    Raises:
        InputError: there is no such file, the server tells no size, ``out`` exists, or the hash is wrong.
        RunError: the connection fails again and again.
    """
    if what.startswith(HUB):
        return _from_hub(what.removeprefix(HUB), out)
    url = ASSETS.get(what, what)
    if not url.startswith(("http://", "https://")):
        raise InputError("nothing to download", got=what, expected=f"{', '.join(ASSETS)}, an address, or {HUB}org/name")
    refuse_existing(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    fetch = _Fetch(url, out, part, done)
    fetch.run()
    found = fetch.digest()
    if sha256 is not None and found != sha256.lower():
        fetch.forget()
        raise InputError("the file has another hash", where=url, got=found, expected=sha256)
    fetch.partial.rename(out)
    fetch.forget()
    return found


def cached(url: str) -> Path:
    """The local copy of a file, downloaded into prmkit's cache (run.cache_folder) if it is not there.

    Raises:
        InputError: it cannot be downloaded.
    """
    *_, owner, name = ["", *url.removeprefix("https://").split("/")]
    path = cache_folder() / f"{owner}-{name}"
    if not path.is_file():
        try:
            download(url, path)
        except PrmkitError as error:
            cure = "Download it elsewhere and give the path of its file."
            raise InputError(f"cannot download the file ({error})", where=url, cure=cure) from None
    return path


class _Fetch:
    """One file under way."""

    def __init__(self, url: str, out: Path, part: int, done: Callable[[int, int], None]) -> None:
        self.url, self.part, self.done = url, part, done
        self.partial, self.parts = out.with_name(out.name + ".partial"), out.with_name(out.name + ".parts")
        # When hf-transfer fails, it removes the file that it was told to write: so it is told of a link.
        self.link = out.with_name(out.name + ".partial.link")
        with self._open({"Range": "bytes=0-0"}) as reply:
            span = reply.headers.get("Content-Range", "")
            self.ranged = reply.status == 206 and span.rpartition("/")[2].isdigit()
            length = span.rpartition("/")[2] if self.ranged else reply.headers.get("Content-Length") or ""
            self.version = {"size": length, "etag": reply.headers.get("ETag") or "", "part": part}
        if not length.isdigit():
            raise InputError("the server does not tell the size of the file", where=url)
        self.size = int(length)
        self.starts = range(0, self.size, part) if self.ranged else range(0, self.size, max(self.size, 1))
        self.holes = self.ranged and _knows_holes(out.parent)

    def run(self) -> None:
        """Fetch the missing parts."""
        there = self._there()
        if self.holes and not there:
            self._transfer()
            there = self._whole()
        got = sum(min(self.part, self.size - start) for start in there)
        self.done(got, self.size)
        with self.partial.open("r+b") as file, ThreadPoolExecutor(_THREADS) as threads:
            missing = [start for start in self.starts if start not in there]
            for start, data in zip(missing, threads.map(self._bytes, missing), strict=True):
                file.seek(start)
                file.write(data)
                file.flush()
                append_lines(self.parts, [{"start": start}])
                got += len(data)
                self.done(got, self.size)

    def digest(self) -> str:
        """The SHA-256 of what has come."""
        with self.partial.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def forget(self) -> None:
        """Remove what was kept for a later try."""
        for path in (self.link, self.partial, self.parts):
            path.unlink(missing_ok=True)

    def _transfer(self) -> None:
        """Let hf-transfer fetch what it can. Its errors aren't told: who fills the holes that are left meets them."""
        import hf_transfer

        got = 0

        def came(count: int) -> None:
            nonlocal got
            got = min(got + count + 1, self.size)  # its ranges count to their last byte, not past it
            self.done(got, self.size)

        self.done(got, self.size)
        with contextlib.suppress(Exception):
            self.link.unlink(missing_ok=True)
            self.link.symlink_to(self.partial.name)
            hf_transfer.download(
                self.url,
                str(self.link),
                max_files=_THREADS,
                chunk_size=self.part,
                parallel_failures=_THREADS,
                max_retries=_ATTEMPTS - 1,
                headers={"User-Agent": "prmkit"},
                callback=came,
            )
        self.link.unlink(missing_ok=True)

    def _whole(self) -> set[int]:
        """The parts of the file without a hole; none where holes are unknown."""
        if not self.holes:
            return set()
        with self.partial.open("rb") as file:
            holes = [(start, os.lseek(file.fileno(), start, os.SEEK_HOLE)) for start in self.starts]
        return {start for start, hole in holes if hole >= min(start + self.part, self.size)}

    def _there(self) -> set[int]:
        """The parts that an earlier try has fetched of the same version of the file."""
        repair_lines(self.parts)
        lines = [record for _, record in read_lines(self.parts)] if self.parts.exists() else []
        if self.ranged and lines and lines[0] == self.version and self.partial.exists():
            os.truncate(self.partial, self.size)
            return {int(line["start"]) for line in lines[1:]} | self._whole()
        self.forget()
        append_lines(self.parts, [self.version])
        self.partial.touch()
        os.truncate(self.partial, self.size)
        return set()

    def _bytes(self, start: int) -> bytes:
        """One part; a connection that breaks is opened again."""
        end = min(start + self.part, self.size) if self.ranged else self.size
        for _ in range(_ATTEMPTS):
            try:
                with self._open({"Range": f"bytes={start}-{end - 1}"} if self.ranged else {}) as reply:
                    data: bytes = reply.read()
                if len(data) == end - start:
                    return data
                reason = f"{len(data)} of {end - start} bytes came"
            except (OSError, http.client.HTTPException, RunError) as error:
                reason = str(error)
        raise RunError(f"{self.url}: the connection failed {_ATTEMPTS} times ({reason}). Try again, and it goes on.")

    def _open(self, headers: dict[str, str]) -> http.client.HTTPResponse:
        request = urllib.request.Request(self.url, headers=headers | {"User-Agent": "prmkit"})
        try:
            reply: http.client.HTTPResponse = urllib.request.urlopen(request, timeout=_TIMEOUT)
        except urllib.error.HTTPError as error:
            if error.code in (408, 429) or error.code >= 500:
                raise RunError(f"{self.url}: the server answers {error.code}") from None
            raise InputError(f"the server answers {error.code} ({error.reason})", where=self.url) from None
        except urllib.error.URLError as error:
            raise RunError(f"{self.url}: no connection ({error.reason})") from None
        return reply


def _knows_holes(folder: Path) -> bool:
    """Whether the file system tells what of a file was never written (ext4, XFS, Btrfs, APFS and tmpfs do)."""
    with tempfile.TemporaryFile(dir=folder) as file:
        file.truncate(1 << 20)
        return os.lseek(file.fileno(), 0, os.SEEK_HOLE) == 0


def _from_hub(name: str, out: Path) -> str:
    from huggingface_hub import snapshot_download

    os.environ.setdefault("HF_XET_HIGH_PERFORMANCE", "1")
    try:
        folder = snapshot_download(name, repo_type="dataset", local_dir=out)
    # The client raises errors of three libraries; all mean the same here.
    except Exception as error:
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise InputError(
            f"cannot download {name} from the hub ({reason})", cure="Check the name and the net."
        ) from None
    return str(folder)
