"""Fixtures shared by the suite."""

import os
from pathlib import Path

import pytest

pytest_plugins = ["tests.served"]


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real files (see CONTRIBUTING.md); tests that need it are skipped, visibly, where it is absent."""
    given = os.environ.get("PRMKIT_TEST_DATA")
    folder = Path(given) if given else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}; set PRMKIT_TEST_DATA")
    return folder
