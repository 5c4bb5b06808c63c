"""What it takes to try a backbone before it is relied on (prmkit/models/gate.py): seconds and memory.

    python bench/gate.py                         # small kinds, each the first time and once it is known
    python bench/gate.py --model FOLDER_OR_ID    # of a real model, as a training and the engines ask it

Each kind is a process of its own with an empty cache; imports and the loading of weights are not counted.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from contextlib import suppress
from statistics import median
from tempfile import TemporaryDirectory

KINDS = ("llama", "qwen2", "mistral", "gemma2", "gpt_oss", "deepseek_v3", "phi3", "qwen3_next", "mamba")


def one(kind: str, model: str | None) -> dict[str, float]:
    """Seconds of a first and of a second look in this process, and what the first added to its peak memory in MB."""
    import torch
    from transformers import AutoConfig, AutoModel

    from prmkit.errors import InputError
    from prmkit.kv.prepared import past_attention, prepared
    from prmkit.models.attention import faithful_attention, packed_attention
    from prmkit.models.backbone import load_config
    from prmkit.models.twin import likeness

    config = load_config(model) if model else AutoConfig.for_model(kind)
    AutoModel.from_config(likeness(AutoConfig.for_model("gpt2")))  # what the first model of a process takes

    def look() -> float:
        start = time.perf_counter()
        faithful_attention(config)
        with suppress(InputError):
            packed_attention(config, "tree")
        past_attention(config)
        return time.perf_counter() - start

    before = peak()
    seconds = {"first": look(), "known": look()}
    found = {**seconds, "peak MB": peak() - before}
    if model:
        weights = AutoModel.from_pretrained(model, dtype=torch.float32).eval()
        start = time.perf_counter()
        prepared(weights)
        found["on its weights"] = time.perf_counter() - start
    return found


def peak() -> float:
    """The largest memory of this process so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Print a line for each kind."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="a real model in place of the kinds")
    parser.add_argument("--repeat", type=int, default=5, help="processes for each, of which the median is told")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.one, given.model)))
        return
    for kind in [given.model] if given.model else KINDS:
        found = []
        for _ in range(given.repeat):
            with TemporaryDirectory() as cache:
                more = ["--model", given.model] if given.model else []
                done = subprocess.run(
                    [sys.executable, __file__, "--one", kind, *more],
                    env={**os.environ, "PRMKIT_CACHE": cache},
                    check=True,
                    capture_output=True,
                    text=True,
                )
                found.append(json.loads(done.stdout.splitlines()[-1]))
        print(kind, ", ".join(f"{name} {median(each[name] for each in found):.3g}" for name in found[0]), flush=True)


if __name__ == "__main__":
    main()
