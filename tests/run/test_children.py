import subprocess
from pathlib import Path

import pytest

from prmkit.run.children import module_command, module_environment


def test_a_module_is_found_where_this_process_finds_it_and_gets_its_arguments(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "told.py").write_text("import os, sys; print(sys.argv[1:], os.environ['MORE'])")
    monkeypatch.syspath_prepend(tmp_path)
    command = module_command("told", "a", "b")
    done = subprocess.run(command, env=module_environment(MORE="more"), capture_output=True, text=True, check=True)
    assert done.stdout == "['a', 'b'] more\n"


def test_a_file_in_the_current_folder_takes_no_librarys_place(tmp_path: Path) -> None:
    (tmp_path / "queue.py").write_text("raise SystemExit('not a queue')")
    command = module_command("concurrent.futures.thread")  # imports queue
    assert subprocess.run(command, env=module_environment(), cwd=tmp_path).returncode == 0
