"""No loader of ours runs code of a model, whatever file of its folder asks for it, whoever answers, whatever is set."""

import builtins
import json
import os
import pickle
import pty
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from prmkit.errors import PrmkitError
from prmkit.generate import GeneratorConfig
from prmkit.generate.format import PolicyFormat
from prmkit.generate.text import PolicyText
from prmkit.generate.transformers import load_generator
from prmkit.models.backbone import load_causal_lm, load_config
from prmkit.models.checkpoint import CheckpointMeta, inspect_checkpoint, load_prm, save_prm
from prmkit.models.config import Adapter, ModelConfig
from prmkit.models.contents import hashes_of
from prmkit.models.facts import inspect_model
from prmkit.models.foreign.adapters import load_any_prm, read_prm
from prmkit.models.foreign.imports import import_prm, merge_adapter
from prmkit.models.prm import PRM
from prmkit.models.tokenizer import load_tokenizer
from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat
from prmkit.train.config import TrainConfig
from prmkit.train.estimate import estimate
from prmkit.train.machines import machine_of
from prmkit.tree import Problem
from tests.tiny import tiny_backbone, tiny_tokenizer

META = CheckpointMeta(format=StepFormat(), label_source="human", max_length=64)
CANARY = "canary"


class Bomb:
    """A pickle of it makes a file when it is opened."""

    def __init__(self, folder: Path) -> None:
        self.canary = str(folder / CANARY)

    def __reduce__(self) -> Any:
        return os.mkdir, (self.canary,)


def edit(folder: Path, name: str, **values: Any) -> None:
    file = folder / name
    known = json.loads(file.read_text()) if file.is_file() else {}
    file.write_text(json.dumps(known | values))


def module(folder: Path, name: str, *classes: str) -> None:
    """A module that makes the canary when it is imported, in the folder, which is on the path of imports."""
    body = f"import os\nos.mkdir({str(folder / CANARY)!r})\n" + "".join(f"class {each}: pass\n" for each in classes)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(body)


def auto_map(folder: Path) -> None:
    module(folder, "modeling_evil.py", "EvilConfig", "EvilModel")
    kinds = (
        "AutoModel",
        "AutoModelForCausalLM",
        "AutoModelForTokenClassification",
        "AutoModelForSequenceClassification",
    )
    code = {"AutoConfig": "modeling_evil.EvilConfig"} | dict.fromkeys(kinds, "modeling_evil.EvilModel")
    edit(folder, "config.json", auto_map=code)


def auto_map_of_an_unknown_kind(folder: Path) -> None:
    auto_map(folder)
    edit(folder, "config.json", model_type="evil")


def tokenizer_map(folder: Path) -> None:
    module(folder, "tokenization_evil.py", "EvilTokenizer")
    code = {"AutoTokenizer": ["tokenization_evil.EvilTokenizer", "tokenization_evil.EvilTokenizer"]}
    edit(folder, "tokenizer_config.json", auto_map=code, tokenizer_class="EvilTokenizer")


def tokenizer_map_alone(folder: Path) -> None:
    tokenizer_map(folder)
    edit(folder, "config.json", auto_map={"AutoTokenizer": ["tokenization_evil.EvilTokenizer", None]})
    (folder / "tokenizer.json").unlink()


def processors(folder: Path) -> None:
    module(folder, "processing_evil.py", "EvilProcessor")
    code = dict.fromkeys(("AutoProcessor", "AutoImageProcessor", "AutoTokenizer"), "processing_evil.EvilProcessor")
    for name in ("preprocessor_config.json", "processor_config.json", "video_preprocessor_config.json"):
        edit(folder, name, auto_map=code, processor_class="EvilProcessor", image_processor_type="EvilProcessor")


def custom_generate(folder: Path) -> None:
    module(folder, "custom_generate/generate.py", "x")
    (folder / "custom_generate" / "requirements.txt").write_text("")
    edit(folder, "generation_config.json", custom_generate=str(folder))


def kernels(folder: Path) -> None:
    module(folder, "kernel.py")
    edit(folder, "config.json", attn_implementation="evil/kernel", experts_implementation="evil/kernel")


def pickled_weights(folder: Path) -> None:
    weights = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    torch.save(weights | {"bomb": Bomb(folder)}, folder / "pytorch_model.bin")


def pickles_beside(folder: Path) -> None:
    names = (
        "training_args.bin",
        "optimizer.pt",
        "scheduler.pt",
        "rng_state.pth",
        "model.ckpt",
        "a.pth",
        "b.pkl",
        "c.bin",
    )
    for name in names:
        (folder / name).write_bytes(pickle.dumps(Bomb(folder)))
    torch.save({"state": Bomb(folder)}, folder / "optimizer.bin")


def adapter_of_pickles(folder: Path) -> None:
    edit(folder, "adapter_config.json", peft_type="LORA", r=2, target_modules=["q_proj"], task_type="CAUSAL_LM")
    torch.save({"bomb": Bomb(folder)}, folder / "adapter_model.bin")


def adapter_that_imports(folder: Path) -> None:
    module(folder, "evil_module.py", "Evil")
    adapter_of_pickles(folder)
    mapping = {"parent_library": "evil_module", "base_model_class": "Evil"}
    edit(
        folder,
        "adapter_config.json",
        auto_mapping=mapping,
        megatron_config={"x": 1},
        megatron_core="evil_module",
        runtime_config={"ephemeral_gpu_offload": False},
    )


def quantiser(folder: Path) -> None:
    module(folder, "evil_module.py", "Evil")
    edit(folder, "config.json", quantization_config={"quant_method": "evil_module", "modules": "evil_module.Evil"})


def template(text: str) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        (folder / "chat_template.jinja").write_text(text.replace("CANARY", str(folder / CANARY)))

    return spoil


ESCAPES = {
    "globals": "{{ cycler.__init__.__globals__.os.mkdir('CANARY') }}",
    "attr": "{{ cycler|attr('__init__')|attr('__globals__')|attr('__getitem__')('os') }}",
    "subclasses": "{% for c in ''.__class__.__mro__[1].__subclasses__() %}{{ c }}{% endfor %}",
    "format": "{{ '{0.__class__.__init__.__globals__}'.format(lipsum) }}",
    "format_map": "{% set f = '{a.__init__.__globals__[os]}'.format_map %}{{ f({'a': cycler}) }}",
    "self": "{{ self.__init__.__globals__.__builtins__.__import__('os').mkdir('CANARY') }}",
    "lipsum": "{{ lipsum.__globals__['os'].mkdir('CANARY') }}",
    "include": "{% include 'evil.jinja' %}",
    "raised": "{{ raise_exception(cycler.__init__.__globals__.os.mkdir('CANARY')) }}",
    "strftime": "{{ strftime_now.__globals__['os'].mkdir('CANARY') }}",
    "tojson": "{{ messages|tojson.__globals__ }}",
    "endless": "{% for a in range(10**9) %}{% endfor %}",
}

FILES: dict[str, Callable[[Path], None]] = {
    each.__name__: each
    for each in (
        auto_map,
        auto_map_of_an_unknown_kind,
        tokenizer_map,
        tokenizer_map_alone,
        processors,
        custom_generate,
        kernels,
        pickled_weights,
        pickles_beside,
        adapter_of_pickles,
        adapter_that_imports,
        quantiser,
    )
} | {f"template_{name}": template(text) for name, text in ESCAPES.items()}

ADAPTERS: tuple[Adapter, ...] = ("prmkit", "qwen-math-prm", "skywork-o1", "math-shepherd", "rlhflow", "trl")
PROBLEM = Problem(id="p", prompt="1 + 1 ?")


def asked(name: str) -> None:
    PolicyText(load_tokenizer(name), PolicyFormat(template="chat")).begin(PROBLEM)


def read_in_chat(name: str) -> None:
    StepEncoder(load_tokenizer(name), StepFormat(template="chat")).path_ids(PROBLEM, ["1", "2"])


def merged(name: str, out: Path, adapter: Path | None) -> None:
    """An adapter merged into the folder; or the folder as the adapter, merged into a sound model."""
    if adapter is None:
        folder = Path(name)
        weights = {"base_model.model.score.weight": torch.zeros(2, 32)}
        save_file(weights, folder / "adapter_model.safetensors")
        merge_adapter(folder, out, META, base=str(folder.parent / "sound"))
    else:
        merge_adapter(adapter, out, META, base=name)


def loaders(tmp: Path) -> dict[str, Callable[[str], object]]:
    """Whatever reads a model's folder."""
    adapter = tmp / "adapter"
    adapter.mkdir(exist_ok=True)
    edit(adapter, "adapter_config.json", peft_type="LORA", r=2, target_modules=["q_proj"], task_type="TOKEN_CLS")
    save_file({"base_model.model.score.weight": torch.zeros(2, 32)}, adapter / "adapter_model.safetensors")
    machine = machine_of("1xH100")
    return {
        "config": load_config,
        "tokenizer": load_tokenizer,
        "chat": asked,
        "chat of a PRM": read_in_chat,
        "language model": lambda name: load_causal_lm(name, device="cpu"),
        "policy": lambda name: load_generator(GeneratorConfig(name=name, device="cpu")),
        "backbone": lambda name: PRM.from_backbone(name, ModelConfig(name=name, max_length=64)),
        "skeleton": lambda name: PRM.skeleton(name, ModelConfig(name=name, max_length=64)),
        "facts": inspect_model,
        "hashes": lambda name: hashes_of(Path(name), name),
        "checkpoint": load_prm,
        "facts of a checkpoint": inspect_checkpoint,
        "import": lambda name: import_prm(name, tmp / "imported", META),
        "merge": lambda name: merged(name, tmp / "merged", adapter),
        "merge into a model": lambda name: merged(name, tmp / "merged into", None),
        "plan": lambda name: estimate(ModelConfig(name=name), TrainConfig(), machine, mfu=0.4, tokens=None),
        **{f"read {each}": lambda name, each=each: read_prm(name, each) for each in ADAPTERS},  # type: ignore[misc]
        **{f"load {each}": lambda name, each=each: load_any_prm(name, each) for each in ADAPTERS},  # type: ignore[misc]
    }


def make(tmp: Path) -> dict[str, Path]:
    """A sound language model and a sound PRM."""
    name = tiny_backbone(tmp / "sound")
    save_prm(PRM.from_backbone(name, ModelConfig(name=name, max_length=64)), tiny_tokenizer(), tmp / "prm", META)
    return {"policy": tmp / "sound", "prm": tmp / "prm"}


def try_all(tmp: Path, kind: str, sound: dict[str, Path]) -> list[str]:
    """Every loader on both folders with the file of a kind; those that ran something."""
    ran = []
    for what, folder in sound.items():
        hostile = tmp / f"{kind}-{what}"
        shutil.copytree(folder, hostile)
        FILES[kind](hostile)
        (hostile / "modeling.py").write_text("raise SystemExit")
        sys.path.insert(0, str(hostile))
        try:
            for loader, load in loaders(tmp).items():
                with suppress(PrmkitError):
                    load(str(hostile))
                if (hostile / CANARY).exists():
                    ran.append(f"{loader} of a {what}")
                    (hostile / CANARY).rmdir()
        finally:
            sys.path.remove(str(hostile))
    return ran


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make(tmp_path_factory.mktemp("sound"))


@pytest.mark.parametrize("kind", FILES)
def test_no_loader_runs_what_is_in_a_folder(
    tmp_path: Path, kind: str, sound: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    monkeypatch.setattr(builtins, "input", lambda prompt="": asked.append(prompt) or "y")
    monkeypatch.setenv("TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD", "1")
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.chdir(tmp_path)
    shutil.copytree(sound["policy"], tmp_path / "sound")
    assert try_all(tmp_path, kind, sound) == []
    assert asked == []
    assert not [name for name in sys.modules if "evil" in name]


def test_a_bomb_is_one(tmp_path: Path) -> None:
    """Otherwise the test above could not fail."""
    with suppress(Exception):
        pickle.loads(pickle.dumps(Bomb(tmp_path)))
    assert (tmp_path / CANARY).is_dir()
    (tmp_path / CANARY).rmdir()
    module(tmp_path, "evil_import.py")
    sys.path.insert(0, str(tmp_path))
    try:
        __import__("evil_import")
    finally:
        sys.path.remove(str(tmp_path))
        del sys.modules["evil_import"]
    assert (tmp_path / CANARY).is_dir()


HARMLESS = ["auto_map", "tokenizer_map", "pickles_beside", "custom_generate", "kernels", "processors"]
"""What a folder may hold and be loaded none the less."""


@pytest.mark.parametrize("kind", HARMLESS)
def test_what_needs_no_code_is_loaded_without_it(tmp_path: Path, kind: str, sound: dict[str, Path]) -> None:
    hostile = tmp_path / "hostile"
    shutil.copytree(sound["policy"], hostile)
    FILES[kind](hostile)
    model, _ = load_causal_lm(str(hostile), device="cpu")
    known, _ = load_causal_lm(str(sound["policy"]), device="cpu")
    ids = torch.tensor([[3, 4, 5]])
    assert torch.equal(model(ids).logits, known(ids).logits)


PROGRAM = """
import sys
from pathlib import Path
from tests.models.test_no_code import FILES, make, try_all
tmp = Path(sys.argv[1])
sound = make(tmp)
ran = [each for kind in FILES for each in try_all(tmp, kind, sound)]
print("terminal" if sys.stdin.isatty() else "no terminal", "ran", ran)
"""


@pytest.mark.slow
def test_nobody_is_asked_on_a_terminal(tmp_path: Path) -> None:
    """A person who answers y to whatever comes."""
    master, slave = pty.openpty()
    environment = os.environ | {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stdin=slave, stdout=slave, stderr=slave, env=environment
    )
    os.close(slave)
    os.write(master, b"y\n" * 50)
    said = bytearray()

    def listen() -> None:
        with suppress(OSError):
            while piece := os.read(master, 4096):
                said.extend(piece)

    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    assert process.wait(600) == 0, said.decode()[-2000:]
    thread.join(10)
    os.close(master)
    assert "terminal ran []" in said.decode()
    assert "[y/N]" not in said.decode()
