"""Search: batching over problems, occupancy without barriers, what the session costs, memory and journal.

    python bench/search.py [--quick] [--threads 1] [--model FOLDER]

beam_speedup_vs_one_by_one   beam 4 x 4 on 64 problems, all at once, against search-and-learn's schedule on the same
                             engines: one problem after the other, each text scored from its first token at each level;
                             seconds a problem
beam_cpu_time_vs_one_by_one  the same in CPU time, which no other core helps and no other process disturbs
computed_per_drawn           tokens that the generator computed in those searches, over the tokens that it drew
occupancy                    share of 256 rows of a simulated continuous-batching engine that are busy, until 95 % of
                             the requests have ended: beam 4 x 4 on 256 problems, step lengths heavy-tailed (Pareto
                             1.5); peer: all problems level by level in lock-step
session_overhead_share       CPU time of a search whose engines answer at once, over what engines of 20 M parameters add
memory_gib, journal_per_text 500 problems x 256 solutions of 10 steps of 150 characters (--quick: 100 problems)

With --model, a folder with a causal LM, which is policy and, with a random head, PRM: the first three figures, of 16
word problems and solutions of up to 96 tokens, a line a step, a torch thread a core, and

policy_prefix_hits           of the tokens that stand before the samples, the share that was not computed for them
prm_prefix_hits              the same of the texts that were scored
"""

import argparse
import asyncio
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from real_model import add_arguments, word_problems
from search_parts.engines import Counting, Instant, Recording, SlotEngine, TextPolicy, lengths
from search_parts.peer import one_by_one, real, world

from prmkit.benchmarks import load
from prmkit.generate import Sampling
from prmkit.search.options import StrategyConfig
from prmkit.search.problem_set import search
from prmkit.search.result import SearchResult
from prmkit.session import Engines
from prmkit.session.journal import Journal
from prmkit.tree import Problem

BEAM = StrategyConfig(name="beam", options={"n": 16, "width": 4})


def beam(rounds: int, peer_problems: int) -> dict[str, dict[str, object]]:
    """Time a problem; the peer runs a part of the problems, since it treats each alone anyway."""
    problems = load("synthetic-math", limit=64, seed=9)
    by_clock, by_cpu, tokens = [], [], Counter[str]()
    for index in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            engines, trees = world(journal=Path(folder)), Path(folder, "trees.jsonl")
            count_tokens(engines, tokens)
            ours = times(partial(search, problems, engines, BEAM, trees), len(problems))
        part = problems[index * peer_problems : (index + 1) * peer_problems]
        theirs = times(partial(one_by_one, part, world(), n=16, width=4), len(part))
        by_clock.append(theirs[0] / ours[0])
        by_cpu.append(theirs[1] / ours[1])
    return beam_figures(by_clock, by_cpu, tokens)


def beam_figures(by_clock: list[float], by_cpu: list[float], tokens: Counter[str]) -> dict[str, dict[str, object]]:
    peer, rounds = "search-and-learn's schedule, same engines", len(by_clock)
    return {
        "beam_speedup_vs_one_by_one": figure(statistics.median(by_clock), "times", peer, rounds),
        "beam_cpu_time_vs_one_by_one": figure(statistics.median(by_cpu), "times", peer, rounds),
        "computed_per_drawn": figure(tokens["computed"] / tokens["drawn"], "tokens a token", "", rounds),
    }


def model_beam(folder: Path, problems: list[Problem], rounds: int, peer_problems: int) -> dict[str, dict[str, object]]:
    """The same with a real model, and how much of the prompts and of the scored texts was computed."""
    make = real(str(folder), max_tokens=96, max_rows=16 * len(problems))
    one_by_one(problems[:1], make(), n=4, width=4, levels=1)  # finds everything cold
    by_clock, by_cpu, tokens, shares = [], [], Counter[str](), defaultdict(list)
    for index in range(rounds):
        with tempfile.TemporaryDirectory() as run:
            counting, found = Counting(make(journal=Path(run))), []
            count_tokens(counting.inner, tokens)

            def ours(counting: Counting = counting, run: str = run, found: list[SearchResult] = found) -> None:
                found.append(search(problems, counting.engines, BEAM, Path(run, "trees.jsonl")))

            mine = times(ours, len(problems))
        shares["policy_prefix_hits"].append(1 - found[0].ledger.prefill_tokens / counting.before_samples)
        shares["prm_prefix_hits"].append(1 - found[0].ledger.prm_tokens / counting.before_scores)
        part = [problems[(index * peer_problems + each) % len(problems)] for each in range(peer_problems)]
        theirs = times(partial(one_by_one, part, make(), n=16, width=4, whole=True), len(part))
        by_clock.append(theirs[0] / mine[0])
        by_cpu.append(theirs[1] / mine[1])
    hits = {name: figure(statistics.median(each), "share", "", rounds) for name, each in shares.items()}
    return beam_figures(by_clock, by_cpu, tokens) | hits


def count_tokens(engines: Engines, tokens: Counter[str]) -> None:
    """Add up what each decoding step computes and draws."""
    decoder = engines.generator._decoder  # type: ignore[attr-defined]
    step = decoder.step

    def counted() -> list[list[int]]:
        drawn: list[list[int]] = step()
        tokens.update(computed=len(drawn), drawn=sum(map(len, drawn)))
        return drawn

    decoder.step = counted


def times(work: Callable[[], object], problems: int) -> tuple[float, float]:
    """Seconds a problem, by the clock and of the CPU."""
    clock, cpu = time.perf_counter(), time.process_time()
    work()
    return (time.perf_counter() - clock) / problems, (time.process_time() - cpu) / problems


def occupancy() -> dict[str, object]:
    """Busy rows of a simulated engine."""
    problems = [Problem(id=str(index), prompt="?", answer="1") for index in range(256)]
    engine = SlotEngine(slots=256)
    with tempfile.TemporaryDirectory() as folder:
        engines = Engines(
            generator=engine,
            text=engine,  # type: ignore[arg-type]
            sampling=Sampling(max_tokens=10**9),
            scorer=engine,  # type: ignore[arg-type]
            grader_for=lambda domain, grading: engine,  # type: ignore[arg-type, return-value]
        )
        search(problems, engines, BEAM, Path(folder, "trees.jsonl"))
    lock_step = SlotEngine(slots=256)
    asyncio.run(lock_step.levels([lengths(level, 256 * 16) for level in range(engine.depth)]))
    return figure(engine.occupancy(), "share", f"lock-step {lock_step.occupancy():.3f}", engine.requests)


def overhead(problems: int) -> dict[str, object]:
    """The same search with a policy and a PRM of 20 M parameters, and with their recorded answers at once."""
    chosen = load("synthetic-math", limit=problems, seed=9)
    strategy = StrategyConfig(name="beam", options={"n": 8, "width": 4})
    recording = Recording(world(millions=20))

    def seconds(engines: Engines, folder: Path) -> float:
        folder.mkdir()
        start = time.process_time()
        search(chosen, replace(engines, journal=Journal(folder / "journal.jsonl")), strategy, folder / "trees.jsonl")
        return time.process_time() - start

    with tempfile.TemporaryDirectory() as folder:
        whole = seconds(recording.engines, Path(folder, "whole"))
        alone = statistics.median(seconds(Instant(recording).engines, Path(folder, f"{index}")) for index in range(3))
    return figure(alone / (whole - alone), "of the engines' CPU time", "", len(recording.draws) + len(recording.scores))


def store(problems: int) -> None:
    """Best-of-256 on texts of usual length, in a process of its own: its peak of memory, and the journal's size."""
    policy = TextPolicy(steps=10, characters=150)
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder, "journal.jsonl")
        engines = Engines(
            generator=policy,
            text=policy,  # type: ignore[arg-type]
            sampling=Sampling(),
            scorer=policy,
            journal=Journal(journal),  # type: ignore[arg-type]
            grader_for=lambda domain, grading: policy,  # type: ignore[arg-type, return-value]
        )
        every = [Problem(id=str(index), prompt="?", answer="1") for index in range(problems)]
        search(every, engines, StrategyConfig(name="best-of-n", options={"n": 256}), Path(folder, "trees.jsonl"))
        size = journal.stat().st_size
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"gib": peak, "journal": size / policy.written, "generations": problems * 256}))


def stored(problems: int) -> dict[str, dict[str, object]]:
    called = subprocess.run(
        [sys.executable, __file__, "--store", str(problems)], capture_output=True, text=True, check=True
    )
    found = json.loads(called.stdout.splitlines()[-1])
    return {
        "memory_gib": figure(found["gib"], f"GiB, {problems} problems x 256", "", found["generations"]),
        "journal_per_text": figure(found["journal"], "bytes a byte of text", "", found["generations"]),
    }


def figure(value: float, unit: str, peer: str, n: int) -> dict[str, object]:
    return {"value": round(value, 4), "unit": unit, "peer": peer, "n": n}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="end within 90 s on an idle machine")
    parser.add_argument("--threads", type=int, help="of torch, for each engine; default: 1, with --model one a core")
    parser.add_argument("--store", type=int, help=argparse.SUPPRESS)
    add_arguments(parser)
    given = parser.parse_args()
    if given.store:
        store(given.store)
        return
    quick = given.quick
    torch.set_num_threads(given.threads or ((os.cpu_count() or 1) if given.model else 1))
    if given.model:
        problems = word_problems(given.problems)
        figures = model_beam(given.model, problems, rounds=1 if quick else 3, peer_problems=1 if quick else 2)
    else:
        figures = {
            **beam(rounds=1 if quick else 5, peer_problems=4 if quick else 8),
            "occupancy": occupancy(),
            "session_overhead_share": overhead(problems=6 if quick else 24),
            **stored(100 if quick else 500),
        }
    for name, found in figures.items():
        print(f"{name:28}  {found['value']:9.4g}  {found['unit']}  {found['peer']}  (n = {found['n']})")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
