"""Speed of grading: answers a second, programs beside evalplus's own checker, the start of an isolated program.

    python bench/grading.py [--quick]

Real answers and programs are read from ../shared/data or PRMKIT_TEST_DATA; without them, answers are made up and the
comparison with evalplus is left out. The last line is one JSON object {figure: {value, unit, peer, n}}.
"""

import argparse
import gzip
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from prmkit.benchmarks import load
from prmkit.grade.code import evalplus
from prmkit.grade.math.answers import MathGrader
from prmkit.grade.math.equality import Workers
from prmkit.grade.math.extraction import extract
from prmkit.sandbox import isolate
from prmkit.tree import Problem

HERE = Path(__file__).parent
DATA = Path(os.environ.get("PRMKIT_TEST_DATA") or HERE.parents[1] / "shared" / "data")
WORKERS = 2
SETS = (
    ("humaneval", "humaneval-plus", "humanevalplus/HumanEvalPlus.jsonl.gz"),
    ("mbpp", "mbpp-plus", "mbppplus/MbppPlus-v0.1.0.jsonl.gz"),
)
SLOW_REFERENCE_SECONDS = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a sample that ends within 90 s")
    quick = parser.parse_args().quick
    figures = {
        "answers_per_s": answers_per_s(1000 if quick else 5000),
        "isolation_ms": isolation_ms(40 if quick else 200),
    }
    if (DATA / "evalplus_verdicts").is_dir():
        figures["evalplus_time_ratio"] = evalplus_time_ratio(56 if quick else None)
    else:
        print(f"no programs at {DATA}: evalplus_time_ratio is left out")
    print(json.dumps(figures))


def answers_per_s(count: int) -> dict[str, object]:
    """Answers against gold answers, half of MATH's wrong; a pass before the clock has every gold answer parsed."""
    pairs = real_answers(count) if (DATA / "math").is_dir() else made_up_answers(count)
    problems = [Problem(id=str(number), prompt="?", answer=gold) for number, (gold, _) in enumerate(pairs)]
    workers = Workers(count=WORKERS)

    def grade_all(answers: list[str]) -> float:
        grader = MathGrader(workers=workers)  # a new one remembers no verdict
        with ThreadPoolExecutor(WORKERS) as threads:
            start = time.monotonic()
            list(threads.map(lambda posed, answer: grader.correct(posed, [answer]), problems, answers))
            return time.monotonic() - start

    grade_all(["x_0"] * len(pairs))
    passes = [grade_all([answer for _, answer in pairs]) for _ in range(3)]
    workers.close()
    seconds = statistics.median(passes)
    print(f"answers: {len(pairs)}, passes of {', '.join(f'{one:.1f}' for one in passes)} s")
    return {
        "value": len(pairs) / seconds,
        "unit": "answers/s",
        "peer": f"target 300, {WORKERS} workers",
        "n": len(pairs),
    }


def real_answers(count: int) -> list[tuple[str, str]]:
    """Gold answers of MATH with themselves or with another problem's, and answers of GSM8K's four models."""
    golds = [problem.answer or "" for problem in load("math", path=DATA / "math/hendrycks_test_5000.jsonl.gz")]
    with gzip.open(DATA / "gsm8k/example_model_solutions_first660.jsonl.gz") as file:
        rows = [json.loads(line) for line in file]
    pairs = [(gold, golds[(index + index % 2) % len(golds)]) for index, gold in enumerate(golds)]
    for row in rows:
        gold = extract(row["ground_truth"]) or ""
        models = [value for value in row.values() if isinstance(value, dict)]
        pairs += [(gold, answer) for model in models if (answer := extract(model["solution"])) is not None]
    random.Random(0).shuffle(pairs)
    return pairs[:count]


def made_up_answers(count: int) -> list[tuple[str, str]]:
    forms = ("{a}", "\\frac{{{a}}}{{{b}}}", "{a}\\sqrt{{{b}}}", "({a}, {b})", "x^{a} + {b}")
    rng = random.Random(0)
    made = [rng.choice(forms).format(a=rng.randint(1, 99), b=rng.randint(2, 99)) for _ in range(count)]
    return [(gold, gold if index % 2 else made[index - 1]) for index, gold in enumerate(made)]


def isolation_ms(repeats: int) -> dict[str, object]:
    """An isolated program that does nothing, from the request to its end, beside a bare Python."""
    program, bare = "def f(x): return x", [sys.executable, "-S", "-c", "pass"]
    isolate.run_calls(program, "f", ["[1]"])
    isolated, plain = [], []
    for _ in range(repeats):
        isolated.append(seconds_of(lambda: isolate.run_calls(program, "f", ["[1]"])))
        plain.append(seconds_of(lambda: subprocess.run(bare, check=True)))
    print(f"isolated: {1000 * statistics.median(isolated):.1f} ms behind {', '.join(isolate.layers())}")
    peer = f"{' '.join(['python', *bare[1:]])}, no isolation: {1000 * statistics.median(plain):.1f} ms"
    return {"value": 1000 * statistics.median(isolated), "unit": "ms", "peer": peer, "n": repeats}


def seconds_of(work) -> float:
    start = time.monotonic()
    work()
    return time.monotonic() - start


def evalplus_time_ratio(count: int | None) -> dict[str, object]:
    """Our seconds for the real programs over evalplus's, expected outputs known beforehand, the same time limits."""
    jobs = []
    for dataset, benchmark, file in SETS:
        with gzip.open(DATA / file) as lines:
            rows = {row["task_id"]: row for row in map(json.loads, lines)}
        results = DATA / "evalplus_verdicts" / f"qwen2.5-coder-1.5b-base_{dataset}_generated_eval_results.json"
        verdicts = json.loads(results.read_text())["eval"]
        for problem in load(benchmark, path=DATA / file):
            jobs += [(dataset, rows[problem.id], problem, entry["solution"]) for entry in verdicts.get(problem.id, ())]
    if count is not None:
        jobs = random.Random(0).sample(jobs, 2 * count)
    with ThreadPoolExecutor(WORKERS) as threads:
        expected = list(
            threads.map(lambda job: [evalplus.expected_of(job[2], public=part) for part in (True, False)], jobs)
        )
        if count is not None:
            # The slowest references would take all of a quick run, on both sides.
            quick = [sum(sum(part.seconds) for part in parts) < SLOW_REFERENCE_SECONDS for parts in expected]
            jobs = [job for job, kept in zip(jobs, quick, strict=True) if kept][:count]
        start = time.monotonic()
        ours = list(threads.map(lambda job: evalplus.judge(job[2], job[3]).passed, jobs))
        seconds = time.monotonic() - start
    theirs = peer(jobs)
    agreed = sum(one == other for one, other in zip(ours, theirs["passed"], strict=True))
    print(
        f"programs: {len(jobs)}, {seconds:.1f} s here, {theirs['seconds']:.1f} s by evalplus; {agreed} verdicts agree"
    )
    name = f"evalplus 0.3.1 without isolation: {theirs['seconds']:.1f} s, {WORKERS} workers"
    return {"value": seconds / theirs["seconds"], "unit": "ratio", "peer": name, "n": len(jobs)}


def peer(jobs) -> dict[str, object]:
    """evalplus's checker on the same programs, in its own environment, which is made on first use."""
    folder = Path(os.environ.get("PRMKIT_PEERS") or HERE / "peers" / ".environments") / "evalplus"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        requirements = str(HERE / "peers" / "evalplus.txt")
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--no-deps", "-r", requirements], check=True)
    request = {
        "workers": WORKERS,
        "min_time_limit": 4.0,
        "jobs": [{"dataset": dataset, "task": row, "solution": text} for dataset, row, _, text in jobs],
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(request, file)
        file.flush()
        done = subprocess.run(
            [python, HERE / "peers" / "evalplus_check.py", file.name],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={},
        )
    return json.loads(done.stdout.strip().splitlines()[-1])


if __name__ == "__main__":
    main()
