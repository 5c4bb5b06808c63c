"""Engines of activation patterns side by side with autograd, one response at a time, every pattern stored.

    python bench/similarity.py [--quick]

Each engine runs in a process of its own. Seconds are of one thread's CPU time, since this is measured on machines that
others use too; memory is the peak of its resident set above what it was before the engine
started. Figures: speed of ``hooks`` (same memory as the loop) and ``layersync`` against ``loop``, the same for short
responses, peak memory of ``layersync`` and ``hooks`` as a share of ``loop``'s, growth of ``mean``'s memory from half to
all responses, share of ``layersync``'s time that is Gram, largest difference of a cosine.
"""

import argparse
import json
import multiprocessing
import resource
import statistics
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from prmkit.similarity.config import SimilarityConfig
from prmkit.similarity.patterns import job
from prmkit.similarity.patterns.engine import compare
from prmkit.similarity.response import Response
from prmkit.similarity.statistics.gram import PatternGram
from prmkit.similarity.statistics.measure import cosines


@dataclass(frozen=True)
class Size:
    """A model and responses to it."""

    hidden: int
    layers: int
    intermediate: int
    responses: int
    tokens: int


FULL = Size(hidden=384, layers=12, intermediate=1024, responses=64, tokens=256)
QUICK = Size(hidden=256, layers=8, intermediate=704, responses=16, tokens=128)


def model_of(size: Size) -> PreTrainedModel:
    torch.manual_seed(0)
    config = AutoConfig.for_model(
        "qwen2",
        hidden_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.hidden // 64,
        num_key_value_heads=2,
        intermediate_size=size.intermediate,
        vocab_size=2048,
        max_position_embeddings=512,
        tie_word_embeddings=True,
    )
    found: PreTrainedModel = AutoModelForCausalLM.from_config(config).eval()
    return found


def responses_of(size: Size) -> list[Response]:
    random = np.random.default_rng(0)
    return [
        Response(
            problem_id=str(row), ids=tuple(random.integers(2, 2048, size.tokens).tolist()), prompt_length=16, text=""
        )
        for row in range(size.responses)
    ]


def measured(pipe: Connection, size: Size, options: dict[str, Any]) -> None:
    """Run one engine and send its seconds, the seconds of its Grams, its bytes and its cosines."""
    torch.set_num_threads(1)
    model, responses = model_of(size), responses_of(size)
    gram_seconds = 0.0
    plain = job.raw_gram

    def timed(patterns_NP: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        nonlocal gram_seconds
        start = time.process_time()
        found = plain(patterns_NP)
        gram_seconds += time.process_time() - start
        return found

    job.raw_gram = timed
    compare(model, {"warm": responses[:2]}, SimilarityConfig(**options))
    gram_seconds = 0.0
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.process_time()
    found = compare(model, {"all": responses}, SimilarityConfig(**options))
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    pipe.send((seconds, gram_seconds, peak * 1024, cosines(found) if isinstance(found, PatternGram) else None))


def run(size: Size, **options: Any) -> tuple[float, float, float, Any]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=measured, args=(theirs, size, options))
    process.start()
    while not ours.poll(1.0):
        if not process.is_alive():
            raise SystemExit(f"{options} failed")
    found = ours.recv()
    process.join()
    return found  # type: ignore[no-any-return]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    size = QUICK if quick else FULL
    runs = 1
    short = Size(**{**vars(size), "tokens": size.tokens // 4, "responses": size.responses // 2})
    small = {"batch_tokens": 512}
    stored = {"memory_gib": 64.0, **small}
    tight = {"memory_gib": 0.25, "offload": True, **small}
    seconds: dict[str, list[float]] = {}
    found: dict[str, Any] = {}
    for _ in range(runs):
        for name, at, options in (
            ("loop", size, {"engine": "loop", **stored}),
            ("hooks", size, {"engine": "hooks", **stored}),
            ("layersync", size, {"engine": "layersync", **tight}),
            ("short loop", short, {"engine": "loop", **stored}),
            ("short hooks", short, {"engine": "hooks", **stored}),
        ):
            found[name] = run(at, **options)
            seconds.setdefault(name, []).append(found[name][0])
            print(
                f"{name}: {found[name][0]:.1f} s, Gram {found[name][1]:.1f} s, {found[name][2] / 2**20:.0f} MiB",
                flush=True,
            )
    half = Size(**{**vars(short), "responses": short.responses // 2})
    means = [run(at, engine="mean", **small) for at in (half, short)]
    for at, one in zip((half, short), means, strict=True):
        print(f"mean of {at.responses}: {one[0]:.1f} s, {one[2] / 2**20:.0f} MiB", flush=True)
    middle = {name: statistics.median(values) for name, values in seconds.items()}
    oracle = found["loop"][3]
    figures = {
        "hooks_speedup_vs_loop": (middle["loop"] / middle["hooks"], "x"),
        "layersync_speedup_vs_loop": (middle["loop"] / middle["layersync"], "x"),
        "hooks_speedup_vs_loop_short": (middle["short loop"] / middle["short hooks"], "x"),
        "peak_memory_ratio": (found["layersync"][2] / found["loop"][2], "of loop"),
        "hooks_peak_memory_ratio": (found["hooks"][2] / found["loop"][2], "of loop"),
        "mean_memory_growth": (means[1][2] / means[0][2], "x, twice the responses"),
        "gram_share": (found["layersync"][1] / found["layersync"][0], "of layersync"),
        "max_relative_difference": (
            max(float(np.abs(found[e][3] / oracle - 1).max()) for e in ("hooks", "layersync")),
            "",
        ),
    }
    print(
        json.dumps(
            {
                name: {"value": value, "unit": unit, "peer": "loop, all patterns stored", "n": runs}
                for name, (value, unit) in figures.items()
            }
        )
    )


if __name__ == "__main__":
    main()
