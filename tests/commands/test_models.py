import json
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from prmkit.tree import Problem, StepTree
from prmkit.trees_io import write_trees
from tests.commands.conftest import Answer
from tests.models.gguf.files import tiny_config, tiny_model, write_gguf, write_other
from tests.models.test_folder import FAULTS
from tests.publish.conftest import save_tiny_prm
from tests.tiny import tiny_backbone


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


SPOILED = ["empty", "adapter alone", "code", "awq", "missing shard", "weights are a pointer", "bert", "newer tokenizer"]


@pytest.mark.parametrize("kind", SPOILED)
def test_what_is_wrong_with_a_model_is_one_line_of_every_verb(
    prmkit: Callable[..., Answer], tmp_path: Path, kind: str, corpus: Path, train_recipe: Path
) -> None:
    fault = FAULTS[kind]
    model, prm = Path(tiny_backbone(tmp_path / "model")), tmp_path / "prm"
    save_tiny_prm(prm)
    for folder in (model, prm):
        fault.spoil(folder)
    policy = [
        f"generator.name={model}",
        "scorer=null",
        "problems.limit=1",
        "strategy={name: majority, options: {n: 2}}",
    ]
    verbs: list[list[object]] = [
        ["train", train_recipe, "--set", f"model.name={model}", "--out", tmp_path / "trained"],
        ["search", "synthetic/search-math", *_set(policy), "--out", tmp_path / "searched"],
        ["checkpoint", "inspect", prm],
        ["checkpoint", "import", model, tmp_path / "imported"],
        ["similarity", "doctor", model],
        ["models", "show", model],
        ["attribute", prm, _a_tree(tmp_path), "--out", tmp_path / "page.html"],
    ]
    for arguments in verbs:
        if arguments[0] == "models" and not fault.early:
            continue
        answer = prmkit(*arguments)
        assert (answer.code, answer.out) == (2, ""), arguments
        assert "Traceback" not in answer.err
        assert re.search(fault.said, answer.err.splitlines()[-1]), (arguments, answer.err)
    assert not any((tmp_path / out).exists() for out in ("trained", "searched", "imported", "page.html"))


def _set(values: list[str]) -> list[str]:
    return [word for value in values for word in ("--set", value)]


def _a_tree(folder: Path) -> Path:
    write_trees(folder / "trees.jsonl", [StepTree.from_steps(Problem(id="p", prompt="1 + 1 ?"), ["1", "2"])])
    return folder / "trees.jsonl"
