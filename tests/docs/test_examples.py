"""The programs of the guides: written as the page says, and held to the contracts as the page says."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, blocks

GUIDES = ("strategy", "benchmark", "scorer")


@pytest.mark.parametrize("name", GUIDES)
def test_the_program_of_a_guide_passes_the_test_beside_it(name: str, tmp_path: Path) -> None:
    files = {block.title: block.text for block in blocks(ROOT / "docs" / "guides" / f"{name}.md") if block.title}
    assert sorted(files) == [f"my_{name}.py", f"test_my_{name}.py"]
    for title, text in files.items():
        (tmp_path / title).write_text(text)
        compile(text, title, "exec")
        assert max(map(len, text.splitlines())) <= 120
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path, tmp_path],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": f"{ROOT}:{tmp_path}"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout
