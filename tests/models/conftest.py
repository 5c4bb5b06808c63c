"""A hub on this machine, from which models are fetched into a cache of the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import constants

from prmkit.models import names
from tests.fake_hub import ReadableHub


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ReadableHub]:
    with ReadableHub() as hub:
        monkeypatch.setattr(constants, "ENDPOINT", hub.url)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", hub.url + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(names, "_resolved", {})
        yield hub
