import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.commands.conftest import Answer
from tests.models.gguf.files import tiny_config, tiny_model, write_gguf, write_other


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return write_gguf(tmp_path / "tiny.gguf", tiny_model(tiny_config(tie_word_embeddings=True)))


def test_import_says_what_came_out_and_show_says_it_again(
    prmkit: Callable[..., Answer], file: Path, tmp_path: Path
) -> None:
    answer = prmkit("models", "import", file, "--out", tmp_path / "out", "--json")
    assert answer.code == 0
    # The first line comes before anything heavy is read.
    assert answer.err.splitlines()[0] == f"{file}: llama, 82,240 numbers, mostly F32, 0 MB"
    facts = json.loads(answer.out)
    assert facts == {
        "wrote": str(tmp_path / "out"),
        "stored": "F32",
        "architecture": "LlamaForCausalLM",
        "parameters": 82240,
        "dtype": "bfloat16",
        "bytes": facts["bytes"],
        "context": 256,
        "vocabulary": 320,
        "ends": ["<|im_end|>", "<|endoftext|>"],
        "chat_template": True,
    }
    assert 2 * 82240 < facts["bytes"] < 2 * 82240 + 10_000
    again = json.loads(prmkit("models", "show", tmp_path / "out", "--json").out)
    assert again == {"model": str(tmp_path / "out")} | {key: facts[key] for key in list(facts)[2:]}
    assert "chat_template  True" in prmkit("models", "show", tmp_path / "out").out


def test_the_type_is_the_one_asked_for(prmkit: Callable[..., Answer], file: Path, tmp_path: Path) -> None:
    answer = prmkit("models", "import", file, "--out", tmp_path / "out", "--dtype", "float32", "--json")
    assert json.loads(answer.out)["dtype"] == "float32"
    assert prmkit("models", "import", file, "--out", tmp_path / "other", "--dtype", "float64").code == 2


def test_bad_input_is_one_line(prmkit: Callable[..., Answer], file: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.gguf").write_bytes(b"")
    (tmp_path / "text.gguf").write_text("no model\n")
    (tmp_path / "cut.gguf").write_bytes(file.read_bytes()[:1000])
    write_other(tmp_path / "vocabulary.gguf", "llama", tensors=False)
    write_other(tmp_path / "whisper.gguf", "whisper")
    (tmp_path / "there").mkdir()
    names = sorted(path.name for path in tmp_path.iterdir())
    for source, out in (
        (tmp_path / "nowhere.gguf", "out"),
        (tmp_path / "empty.gguf", "out"),
        (tmp_path / "text.gguf", "out"),
        (tmp_path / "cut.gguf", "out"),
        (tmp_path / "vocabulary.gguf", "out"),
        (tmp_path / "whisper.gguf", "out"),
        (tmp_path / "there", "out"),
        (file, "there"),
        (file, "tiny.gguf"),
        (file, "text.gguf/out"),
    ):
        answer = prmkit("models", "import", source, "--out", tmp_path / out)
        assert (answer.code, answer.out) == (2, ""), source
        assert "Traceback" not in answer.err
        told = [line for line in answer.err.splitlines() if line and " numbers, " not in line and "it/s" not in line]
        assert len(told) == 1, told
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert prmkit("models", "show", tmp_path / "there").code == 2


def test_without_the_package_the_answer_is_how_to_install_it(
    prmkit: Callable[..., Answer], file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    answer = prmkit("models", "import", file, "--out", tmp_path / "out")
    assert answer.code == 2
    assert answer.err.splitlines()[-1] == "GGUF files are read by the package gguf. pip install 'prmkit[gguf]'"
