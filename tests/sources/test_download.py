import hashlib
import http.server
import random
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from prmkit.errors import InputError, RunError
from prmkit.sources import download as module
from prmkit.sources.download import download

CONTENT = random.Random(0).randbytes(100_000)
PART = 8_192


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT; counts what it served, and fails as it is told."""

    content, ranges, failures, fail_from, etag = CONTENT, True, 0, 1 << 60, '"1"'

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.starts: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file.jsonl"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, format: str, *args: object) -> None: ...

    def do_GET(self) -> None:
        server, content = self.server, self.server.content
        asked = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", "")) if server.ranges else None
        start, end = (int(asked[1]), int(asked[2])) if asked else (0, len(content) - 1)
        probe = (start, end) == (0, 0)
        if self.path != "/file.jsonl":
            self.send_error(404)
        elif not probe and (start >= server.fail_from or server.failures > 0):
            server.failures -= 1
            self.send_error(503)
        else:
            if not probe:
                server.starts.append(start)
            body = content[start : end + 1]
            self.send_response(206 if asked else 200)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", server.etag)
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{end}/{len(content)}")
            self.end_headers()
            self.wfile.write(body)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_parts_become_the_file_and_its_hash_is_checked(server: Server, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    wanted = hashlib.sha256(CONTENT).hexdigest()
    found = download(server.url, tmp_path / "a", sha256=wanted, part=PART, done=lambda *got: seen.append(got))
    assert found == wanted
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert leftovers(tmp_path) == ["a"]
    assert sorted(server.starts) == list(range(0, 100_000, PART))
    assert (seen[0], seen[-1]) == ((0, 100_000), (100_000, 100_000))


def test_a_download_that_broke_off_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    server.fail_from = 5 * PART
    with pytest.raises(RunError, match=r"the connection failed 4 times .*answers 503.*it goes on"):
        download(server.url, tmp_path / "a", part=PART)
    assert leftovers(tmp_path) == ["a.partial", "a.parts"]
    first, server.starts, server.fail_from = set(server.starts), [], 1 << 60
    download(server.url, tmp_path / "a", part=PART)
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert first == {number * PART for number in range(5)}
    assert not first & set(server.starts)


def test_a_file_that_changed_meanwhile_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    server.fail_from = 5 * PART
    with pytest.raises(RunError):
        download(server.url, tmp_path / "a", part=PART)
    server.fail_from, server.etag, server.content = 1 << 60, '"2"', CONTENT[::-1]
    download(server.url, tmp_path / "a", part=PART)
    assert (tmp_path / "a").read_bytes() == CONTENT[::-1]


def test_a_failure_now_and_then_is_tried_again(server: Server, tmp_path: Path) -> None:
    server.failures = 2
    download(server.url, tmp_path / "a", part=PART)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_server_without_ranges_sends_it_whole(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    download(server.url, tmp_path / "a", part=PART)
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_wrong_hash_leaves_nothing_behind(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the file has another hash"):
        download(server.url, tmp_path / "a", sha256="0" * 64, part=PART)
    assert leftovers(tmp_path) == []


def test_what_cannot_be_had_is_said_in_one_line(server: Server, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="the server answers 404"):
        download(server.url + "x", tmp_path / "a")
    with pytest.raises(InputError, match=r"nothing to download, got 'prm800k'; expected prm800k/phase1_train"):
        download("prm800k", tmp_path / "a")
    (tmp_path / "a").touch()
    with pytest.raises(InputError, match="the file exists"):
        download(server.url, tmp_path / "a")


def test_the_hub_goes_through_its_own_client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import huggingface_hub

    asked: list[object] = []
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **options: asked.append((name, options)) or tmp_path
    )
    assert download("hub:org/name", tmp_path) == str(tmp_path)
    assert asked == [("org/name", {"repo_type": "dataset", "local_dir": tmp_path})]
    assert all(url.startswith("https://") for url in module.ASSETS.values())
