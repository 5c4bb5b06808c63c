"""Fixtures shared by the suite."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = ["tests.served"]

# Tests measure no time: what takes longer than usual took it from a busy machine.
settings.register_profile("prmkit", deadline=None)
settings.load_profile("prmkit")

# A shell starts what runs in its background deaf to Ctrl-C, and children inherit that; tests that interrupt a
# program need it to hear.
if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """What the suite keeps in the cache is its own: no test meets what another run left there, or leaves anything."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PRMKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real files (see CONTRIBUTING.md); tests that need it are skipped, visibly, where it is absent."""
    given = os.environ.get("PRMKIT_TEST_DATA")
    folder = Path(given) if given else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set PRMKIT_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A random causal LM that reads any text."""
    from tests.tiny import tiny_backbone, tiny_bpe_tokenizer  # torch, which most tests do without

    folder = tmp_path_factory.mktemp("backbone")
    return tiny_backbone(folder, tokenizer=tiny_bpe_tokenizer(), context=4096)
