"""Reading speed and peak memory on 500 MB of raw PRM800K rows.

    python bench/readers.py [--quick] [--data FILE]

The file repeats real rows (../shared/data/prm800k_raw, or --data), else rows of their shape made here. Each reading
runs in a process of its own, whose peak memory and CPU seconds are measured: a reader uses one core, and what else a
shared machine does is not its speed (the wall clock is printed too). Peer: Python's json and the flattening of TRL's
prm800k.py, which keeps every row it makes; here they are thrown away.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from prmkit.sources.corpus import Corpus

MEGABYTE = 1_000_000
SIZE = 500 * MEGABYTE
REAL = Path(__file__).parents[2] / "shared" / "data" / "prm800k_raw" / "openr_samples_prm800k.jsonl"


def made_rows() -> bytes:
    """Rows of the shape and size of phase 2: ten steps of two alternatives, 40 words each."""
    text = " ".join(f"word{number}" for number in range(40))
    completions = [{"text": text, "rating": rating, "flagged": False} for rating in (1, -1)]
    steps = [{"completions": completions, "human_completion": None, "chosen_completion": 0}] * 10
    question = {"problem": text, "ground_truth_answer": "1"}
    return json.dumps({"question": question, "label": {"steps": steps, "finish_reason": "solution"}}).encode() + b"\n"


def read_with_prmkit(path: Path) -> int:
    return sum(len(tree) for tree in Corpus("prm800k", str(path), options={"screening": True}))


def read_as_trl_does(path: Path) -> int:
    """Steps of all rows that TRL's script makes."""
    return sum(steps for line in path.open(encoding="utf-8") for steps in flattened(json.loads(line)))


def flattened(row: dict[str, Any]) -> list[int]:
    previous: list[str] = []
    labels: list[bool] = []
    rows = []
    for step in row["label"]["steps"]:
        if step["completions"] is None and step["human_completion"] is None:
            break
        for number, each in enumerate(step["completions"] or []):
            if number != step["chosen_completion"]:
                completions, judged = [*previous, each["text"]], [*labels, each["rating"] == 1]
                rows.append({"prompt": row["question"]["problem"], "completions": completions, "labels": judged})
        if step["chosen_completion"] is not None:
            chosen = step["completions"][step["chosen_completion"]]
            previous.append(chosen["text"])
            labels.append(chosen["rating"] == 1)
        elif step["human_completion"] is not None:
            previous.append(step["human_completion"]["text"])
            labels.append(True)
        else:
            break
    rows.append({"prompt": row["question"]["problem"], "completions": previous, "labels": labels})
    return [len(each["completions"]) for each in rows]


READERS = {"prmkit": read_with_prmkit, "trl": read_as_trl_does}


def measure(reader: str, path: Path) -> tuple[float, float, float]:
    """(MB a CPU second, MB a second by the clock, peak MB) of one reading in a fresh process."""
    command = [sys.executable, __file__, "--reader", reader, "--file", str(path)]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    cpu, clock, peak = map(float, found)
    size = path.stat().st_size / MEGABYTE
    return size / cpu, size / clock, peak


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--data", type=Path, default=REAL)
    parser.add_argument("--reader", choices=READERS, help=argparse.SUPPRESS)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.reader:
        clock, cpu = time.perf_counter(), time.process_time()
        READERS[arguments.reader](arguments.file)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
        print(time.process_time() - cpu, time.perf_counter() - clock, peak)
        return
    rows = arguments.data.read_bytes() if arguments.data.is_file() else made_rows()
    runs = 1 if arguments.quick else 5
    found: dict[str, list[tuple[float, float, float]]] = {reader: [] for reader in READERS}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        with path.open("wb") as file:
            block = rows * (1 + MEGABYTE // len(rows))
            while file.tell() < SIZE:
                file.write(block)
        for _ in range(runs):
            for reader, seen in found.items():
                seen.append(measure(reader, path))
    speed = {reader: statistics.median(each[0] for each in seen) for reader, seen in found.items()}
    clock = {reader: statistics.median(each[1] for each in seen) for reader, seen in found.items()}
    peak = {reader: max(each[2] for each in seen) for reader, seen in found.items()}
    peer = "json and the flattening of TRL's prm800k.py"
    for reader in READERS:
        speeds = f"{speed[reader]:.0f} MB a CPU second, {clock[reader]:.0f} by the clock"
        print(f"{reader}: {speeds}, peak {peak[reader]:.0f} MB")
    print(
        json.dumps(
            {
                "mb_per_s": {"value": speed["prmkit"], "unit": "MB/s", "peer": {peer: speed["trl"]}, "n": runs},
                "peak_mb": {"value": peak["prmkit"], "unit": "MB", "peer": {peer: peak["trl"]}, "n": runs},
            }
        )
    )


if __name__ == "__main__":
    main()
