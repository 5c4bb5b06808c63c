"""Files of plain web servers, in parallel ranges: a download that was killed goes on, and its hash is checked.

Data sets of the Hugging Face hub go through ``huggingface_hub``, which does the same for them.
"""

import hashlib
import http.client
import os
import urllib.error
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prmkit.errors import InputError, RunError
from prmkit.rows_io import HUB
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

    What has come is kept in ``out.partial``, and listed in ``out.parts``, until the whole is there and its hash is
    right; asked again, only the missing parts are fetched, unless the server's file is another one by then.

    Args:
        what: a name in ASSETS, an address that begins with http, or ``hub:org/name``.
        out: must not exist.
        sha256: the hash that the file must have.
        done: told the bytes that are there and the bytes in all.
        part: bytes of one request.

    Raises:
        InputError: there is no such file, the server tells no size, ``out`` exists, or the hash is wrong.
        RunError: the connection fails again and again.
    """
    if what.startswith(HUB):
        return _from_hub(what.removeprefix(HUB), out)
    url = ASSETS.get(what, what)
    if not url.startswith(("http://", "https://")):
        raise InputError("nothing to download", got=what, expected=f"{', '.join(ASSETS)}, an address, or {HUB}org/name")
    if out.exists():
        raise InputError("the file exists", where=out, cure="Choose another name or remove it.")
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


class _Fetch:
    """One file under way."""

    def __init__(self, url: str, out: Path, part: int, done: Callable[[int, int], None]) -> None:
        self.url, self.part, self.done = url, part, done
        self.partial, self.parts = out.with_name(out.name + ".partial"), out.with_name(out.name + ".parts")
        with self._open({"Range": "bytes=0-0"}) as reply:
            span = reply.headers.get("Content-Range", "")
            self.ranged = reply.status == 206 and span.rpartition("/")[2].isdigit()
            length = span.rpartition("/")[2] if self.ranged else reply.headers.get("Content-Length") or ""
            self.version = {"size": length, "etag": reply.headers.get("ETag") or "", "part": part}
        if not length.isdigit():
            raise InputError("the server does not tell the size of the file", where=url)
        self.size = int(length)

    def run(self) -> None:
        """Fetch the missing parts."""
        starts = range(0, self.size, self.part) if self.ranged else range(0, self.size, max(self.size, 1))
        there = self._there()
        self.partial.touch()
        os.truncate(self.partial, self.size)
        got = sum(min(self.part, self.size - start) for start in starts if start in there)
        self.done(got, self.size)
        with self.partial.open("r+b") as file, ThreadPoolExecutor(_THREADS) as threads:
            missing = [start for start in starts if start not in there]
            for start, data in zip(missing, threads.map(self._bytes, missing), strict=True):
                os.pwrite(file.fileno(), data, start)
                append_lines(self.parts, [{"start": start}])
                got += len(data)
                self.done(got, self.size)

    def digest(self) -> str:
        """The SHA-256 of what has come."""
        with self.partial.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def forget(self) -> None:
        """Remove what was kept for a later try."""
        self.partial.unlink(missing_ok=True)
        self.parts.unlink(missing_ok=True)

    def _there(self) -> set[int]:
        """The parts that an earlier try has fetched of the same version of the file."""
        repair_lines(self.parts)
        lines = [record for _, record in read_lines(self.parts)] if self.parts.exists() else []
        if lines and lines[0] == self.version and self.partial.exists():
            return {int(line["start"]) for line in lines[1:]}
        self.forget()
        append_lines(self.parts, [self.version])
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
