"""Real vLLM engines for the tests marked ``vllm``, each started once a session, for a start takes half a minute."""

import asyncio
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Coroutine, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch

from prmkit.generate import Generator, GeneratorConfig, load_generator
from prmkit.generate.config import VllmEngine
from prmkit.models.checkpoint import CheckpointMeta, export_process_reward_model, save_prm
from prmkit.models.config import ModelConfig
from prmkit.models.prm import PRM
from prmkit.models.tokenizer import load_tokenizer
from prmkit.packing.format import StepFormat
from tests.tiny import tiny_backbone, tiny_bpe_tokenizer

Reply = TypeVar("Reply")

VLLM = [pytest.mark.vllm, pytest.mark.timeout(900)]
"""The marks of such a test; the first one of a fixture waits for its engine, on a busy machine for minutes."""

EAGER = {"name": "vllm", "enforce_eager": True}
"""What a recipe says of an engine that shall start fast."""

_LOOP = asyncio.new_event_loop()


def run(work: Coroutine[Any, Any, Reply]) -> Reply:
    """Run a coroutine in the one loop of the session: an AsyncLLM is bound to the loop that first asked it."""
    return _LOOP.run_until_complete(work)


@pytest.fixture(scope="session")
def policy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random causal LM with a byte-level tokenizer."""
    folder = tmp_path_factory.mktemp("served") / "policy"
    tiny_backbone(folder, tokenizer=tiny_bpe_tokenizer(), context=1024, heads=1)
    return folder


CHATML = (
    "{% for turn in messages %}<|im_start|>{{ turn['role'] }}\n{{ turn['content'] | trim }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""A chat template that trims what it is given, as many do."""


@pytest.fixture(scope="session")
def chat_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random causal LM with that template, whose tokens are letters, words, line ends and the marks of ChatML."""
    folder = tmp_path_factory.mktemp("served") / "chat"
    tokenizer = tiny_bpe_tokenizer(alphabet=[*"abcdefghijklmnopqrstuvwxyz.=+", "\u0120", "\u010a"])
    tokenizer.chat_template = CHATML
    tiny_backbone(folder, tokenizer=tokenizer, context=1024, heads=1)
    return folder


@pytest.fixture(scope="session")
def prm_folder(policy_folder: Path) -> Path:
    """A PRM of ours on that LM, as training writes it."""
    folder = policy_folder.parent / "prm"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        prm = PRM.from_backbone(str(policy_folder), ModelConfig(name=str(policy_folder), max_length=256))
        torch.nn.init.normal_(prm.score[2].weight)  # a fresh head scores all steps alike
    meta = CheckpointMeta(format=StepFormat(), label_source="human", max_length=256)
    save_prm(prm, load_tokenizer(str(policy_folder)), folder, meta)
    return folder


@pytest.fixture(scope="session")
def two_label_folder(prm_folder: Path) -> Path:
    """The same PRM in its second form."""
    folder = prm_folder.parent / "prm-two-labels"
    export_process_reward_model(prm_folder, folder)
    return folder


@pytest.fixture(scope="session")
def vllm_cpu() -> Iterator[None]:
    """vLLM is installed, and takes little memory."""
    pytest.importorskip("vllm", reason="vLLM is not installed: make .venv/.vllm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
        yield


@pytest.fixture(scope="session")
def vllm_generator(vllm_cpu: None, policy_folder: Path) -> Generator:
    """The LM in vLLM."""
    return load_generator(GeneratorConfig(name=str(policy_folder), engine=VllmEngine(**EAGER), max_rows=64))[0]


@pytest.fixture(scope="session")
def policy_url(vllm_cpu: None, policy_folder: Path) -> Iterator[str]:
    """Where ``vllm serve`` serves the LM."""
    with served(policy_folder, "--enable-prompt-tokens-details") as url:
        yield url


@pytest.fixture(scope="session")
def chat_url(vllm_cpu: None, chat_folder: Path) -> Iterator[str]:
    """Where ``vllm serve`` serves the LM with a chat template."""
    with served(chat_folder, "--enable-prompt-tokens-details") as url:
        yield url


@pytest.fixture(scope="session")
def prm_url(vllm_cpu: None, prm_folder: Path) -> Iterator[str]:
    """Where ``vllm serve`` serves the PRM."""
    with served(prm_folder, "--runner", "pooling") as url:
        yield url


class served:
    """``vllm serve`` on a free port of this machine, for the length of a ``with``."""

    def __init__(self, folder: Path, *options: str) -> None:
        with closing(socket.socket()) as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        # `vllm serve` by its other name: with vllm-cpu the command itself looks for a package called vllm and ends.
        self._command = [
            *(sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", str(folder), "--dtype", "float32"),
            *("--host", "127.0.0.1", "--port", str(port), "--enforce-eager", *options),
        ]

    def __enter__(self) -> str:
        log = os.environ | {"VLLM_LOGGING_LEVEL": "ERROR"}
        self._process = subprocess.Popen(self._command, env=log, stdout=subprocess.DEVNULL)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=5)
                return self.url
            except OSError:
                assert self._process.poll() is None, "vllm serve ended"
                time.sleep(0.5)
        raise AssertionError("vllm serve did not come up")

    def __exit__(self, *error: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            self._process.kill()
