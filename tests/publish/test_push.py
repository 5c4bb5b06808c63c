"""A push, against a hub on this machine."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub import ModelCard

from prmkit.errors import InputError, RunError
from prmkit.publish.push import push, to_upload
from tests.commands.conftest import Answer, prmkit  # noqa: F401
from tests.fake_hub import FakeHub
from tests.publish.conftest import save_tiny_prm

TOKEN = "hf_" + "x" * 34


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    with FakeHub(TOKEN, "me/prm") as hub:
        monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)  # it speaks Git LFS
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        yield hub


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    save_tiny_prm(tmp_path / "prm")
    return tmp_path / "prm"


def test_the_hub_gets_the_checkpoint_and_its_card(hub: FakeHub, checkpoint: Path) -> None:
    url = push(checkpoint, "me/prm")
    assert url == f"{hub.url}/me/prm/commit/{'0' * 40}"
    there = hub.files["me/prm"]
    assert there == {name: (checkpoint / name).read_bytes() for name in to_upload(checkpoint, "me/prm")}
    assert {"config.json", "model.safetensors", "prmkit.json", "tokenizer.json", "README.md"} <= there.keys()
    assert 'PrmConfig(checkpoint="me/prm")' in there["README.md"].decode()
    assert ModelCard(there["README.md"].decode()).data.model_name == "prm"
    assert not hub.created


def test_a_card_that_is_there_stays(hub: FakeHub, checkpoint: Path) -> None:
    (checkpoint / "README.md").write_text("mine")
    push(checkpoint, "me/prm")
    assert hub.files["me/prm"]["README.md"] == b"mine"


@pytest.mark.parametrize("private", [False, True])
def test_a_repository_is_made_on_demand(hub: FakeHub, checkpoint: Path, private: bool) -> None:
    with pytest.raises(InputError, match="no such repository"):
        push(checkpoint, "me/new")
    push(checkpoint, "me/new", create=True, private=private)
    push(checkpoint, "me/new", create=True)  # it may be there already
    assert (hub.created[0].get("visibility") == "private") == private
    assert "model.safetensors" in hub.files["me/new"]


def test_private_needs_create(hub: FakeHub, checkpoint: Path) -> None:
    with pytest.raises(InputError, match="--private without --create"):
        push(checkpoint, "me/prm", private=True)


@pytest.mark.parametrize("name", ["optimizer.pt", "run.yaml", "journal.jsonl", "state/last.ckpt", "notes.txt"])
def test_what_does_not_belong_is_refused_before_anything_is_sent(hub: FakeHub, checkpoint: Path, name: str) -> None:
    (checkpoint / name).parent.mkdir(exist_ok=True)
    (checkpoint / name).write_text("/home/bob/data")
    with pytest.raises(InputError, match=name):
        push(checkpoint, "me/prm")
    assert not hub.asked
    assert not (checkpoint / "README.md").exists()


def test_notes_of_the_hubs_own_tools_stay_here(hub: FakeHub, checkpoint: Path) -> None:
    (checkpoint / ".cache").mkdir()
    (checkpoint / ".cache" / "huggingface.lock").touch()
    push(checkpoint, "me/prm")
    assert not any(name.startswith(".cache") for name in hub.files["me/prm"])


def test_a_folder_that_is_no_checkpoint_is_refused(hub: FakeHub, checkpoint: Path) -> None:
    (checkpoint / "prmkit.json").unlink()
    with pytest.raises(InputError, match=r"no prmkit\.json"):
        push(checkpoint, "me/prm")
    with pytest.raises(InputError, match="no name of a repository"):
        push(checkpoint, "https://huggingface.co/me/prm")
    assert not hub.asked


def test_without_a_token_nothing_happens(
    hub: FakeHub, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setattr(huggingface_hub.constants, "HF_TOKEN_PATH", str(tmp_path / "token"))
    with pytest.raises(InputError, match="Set HF_TOKEN"):
        push(checkpoint, "me/prm")
    assert not hub.asked
    assert not (checkpoint / "README.md").exists()


def test_a_wrong_token_is_named_and_never_shown(
    hub: FakeHub, checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = "hf_" + "y" * 34
    monkeypatch.setenv("HF_TOKEN", wrong)
    with pytest.raises(InputError, match="does not accept the token") as error:
        push(checkpoint, "me/prm")
    assert wrong not in str(error.value)


def test_a_token_that_may_only_read(hub: FakeHub, checkpoint: Path) -> None:
    hub.faults = [403]
    with pytest.raises(InputError, match="may not write"):
        push(checkpoint, "me/prm")


def test_a_hub_that_cannot_be_reached_is_a_failed_run(
    checkpoint: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(RunError, match="the upload failed"):
        push(checkpoint, "me/prm", create=True)


def test_the_verb_lists_what_goes_out(
    prmkit: Callable[..., Answer],  # noqa: F811
    hub: FakeHub,
    training: Path,
    search: Path,
) -> None:
    listed = json.loads(prmkit("checkpoint", "push", training, "me/prm", "--dry-run", "--json").out)
    assert not hub.asked
    assert listed["would upload"] == sum(row["bytes"] for row in listed["files"])
    assert listed["card"] == "would be made first"
    written = json.loads(prmkit("checkpoint", "card", training, "--run", search, "--repo", "me/prm", "--json").out)
    assert written == {"wrote": str(training / "checkpoint" / "README.md")}
    answer = prmkit("checkpoint", "push", training, "me/prm")
    assert answer.code == 0
    assert TOKEN not in answer.out + answer.err
    assert "model.safetensors" in answer.out
    assert b"79.6" in hub.files["me/prm"]["README.md"]
