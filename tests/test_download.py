import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hf_transfer
import pytest

from prmkit import download as module
from prmkit.download import download
from prmkit.errors import InputError, RunError
from tests import file_server
from tests.file_server import CONTENT

ROOT = Path(__file__).parents[1]
PART = 8_192
STARTS = list(range(0, 100_000, PART))
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """The server of CONTENT, in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.obey()
        command = [sys.executable, file_server.__file__, str(folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.url = f"http://127.0.0.1:{int(self.process.stdout.readline())}/file.jsonl"

    def obey(self, **settings: Any) -> None:
        (self.folder / "settings.json").write_text(json.dumps(settings))

    def served(self) -> list[int]:
        """Where the ranges began that were served since the last call."""
        path = self.folder / "served"
        starts = sorted(map(int, path.read_text().split())) if path.exists() else []
        path.unlink(missing_ok=True)
        return starts


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = Server(tmp_path_factory.mktemp("server"))
    yield running
    with running.process as process:
        process.kill()


@pytest.fixture
def transfers(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were given to hf-transfer."""
    real: Callable[..., None] = hf_transfer.download
    asked: list[str] = []

    def download(url: str, filename: str, **options: Any) -> None:
        asked.append(url)
        real(url, filename, **options)

    monkeypatch.setattr(hf_transfer, "download", download)
    return asked


@pytest.fixture(params=["holes", "no holes"])
def transferred(request: pytest.FixtureRequest, transfers: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """As ``transfers``, on a file system with holes and on one without."""
    if request.param == "no holes":
        monkeypatch.setattr(module, "_knows_holes", lambda folder: False)
    return transfers


def leftovers(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_hf_transfer_fetches_the_parts_and_its_hash_is_checked(
    server: Server, transfers: list[str], tmp_path: Path
) -> None:
    seen: list[tuple[int, int]] = []
    found = download(server.url, tmp_path / "a", sha256=DIGEST, part=PART, done=lambda *got: seen.append(got))
    assert found == DIGEST
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert leftovers(tmp_path) == ["a"]
    assert transfers == [server.url]
    assert server.served() == STARTS
    assert (seen[0], seen[-1]) == ((0, 100_000), (100_000, 100_000))
    assert seen == sorted(seen)
    assert len(seen) >= len(STARTS)


def test_a_file_system_without_holes_gets_the_same(
    server: Server, transfers: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_knows_holes", lambda folder: False)
    seen: list[int] = []
    assert download(server.url, tmp_path / "a", part=PART, done=lambda got, total: seen.append(got)) == DIGEST
    assert leftovers(tmp_path) == ["a"]
    assert transfers == []
    assert server.served() == STARTS
    assert seen == [*STARTS, 100_000]


def test_a_killed_download_fetches_only_the_holes(server: Server, transfers: list[str], tmp_path: Path) -> None:
    server.obey(hang_from=10 * PART)
    code = "import pathlib, sys; from prmkit.download import download; "
    code += f"download(sys.argv[1], pathlib.Path(sys.argv[2]), part={PART})"
    partial = tmp_path / "a.partial"
    with subprocess.Popen([sys.executable, "-c", code, server.url, str(tmp_path / "a")]) as running:
        while not partial.exists() or first_hole(partial) < 10 * PART:
            assert running.poll() is None
            time.sleep(0.02)
        running.kill()
    assert leftovers(tmp_path) == ["a.partial", "a.partial.link", "a.parts"]
    assert server.served() == STARTS[:10]
    server.obey()
    seen: list[int] = []
    assert download(server.url, tmp_path / "a", part=PART, done=lambda got, total: seen.append(got)) == DIGEST
    assert server.served() == STARTS[10:]
    assert seen[0] == 10 * PART
    assert transfers == []
    assert leftovers(tmp_path) == ["a"]


def first_hole(path: Path) -> int:
    with path.open("rb") as file:
        return os.lseek(file.fileno(), 0, os.SEEK_HOLE) if path.stat().st_size else 0


def test_ctrl_c_ends_hf_transfer_at_once(server: Server, tmp_path: Path) -> None:
    server.obey(hang_from=0)
    command = [sys.executable, str(ROOT / "cli.py"), "data", "download", server.url, "--out", str(tmp_path / "a")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        while not (server.folder / "hanging").exists():
            assert running.poll() is None
            time.sleep(0.02)
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate()
    assert running.returncode == -signal.SIGINT  # which a shell tells as 130
    assert "Traceback" not in errors


@pytest.mark.usefixtures("transferred")
def test_a_download_that_broke_off_goes_on_where_it_was(server: Server, tmp_path: Path) -> None:
    server.obey(fail_from=10 * PART)
    with pytest.raises(RunError, match=r"the connection failed 4 times .*answers 503.*it goes on"):
        download(server.url, tmp_path / "a", part=PART)
    assert leftovers(tmp_path) == ["a.partial", "a.parts"]
    assert server.served() == STARTS[:10]
    server.obey()
    assert download(server.url, tmp_path / "a", part=PART) == DIGEST
    assert server.served() == STARTS[10:]


@pytest.mark.usefixtures("transferred")
def test_a_file_that_changed_meanwhile_is_fetched_anew(server: Server, tmp_path: Path) -> None:
    server.obey(fail_from=10 * PART)
    with pytest.raises(RunError):
        download(server.url, tmp_path / "a", part=PART)
    server.obey(etag='"2"', reversed=True)
    download(server.url, tmp_path / "a", part=PART)
    assert (tmp_path / "a").read_bytes() == CONTENT[::-1]


def test_a_failure_now_and_then_is_tried_again(server: Server, transferred: list[str], tmp_path: Path) -> None:
    server.obey(failures=2)
    assert download(server.url, tmp_path / "a", part=PART) == DIGEST
    assert server.served() == STARTS


def test_a_server_without_ranges_sends_it_whole(server: Server, transfers: list[str], tmp_path: Path) -> None:
    server.obey(ranges=False)
    assert download(server.url, tmp_path / "a", part=PART) == DIGEST
    assert transfers == []


@pytest.mark.usefixtures("transferred")
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
