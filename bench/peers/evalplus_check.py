"""Run by bench/grading.py in evalplus's own environment: its checks of some programs, and the seconds they took.

Reads a JSON file {"workers", "min_time_limit", "jobs": [{"dataset", "task", "solution"}]}, where a task is a row of the
release; prints {"seconds", "passed": [both statuses pass, for each job]}. Expected outputs are computed before the
clock starts, as evalplus caches them.
"""

import json
import sys
import time
import types
from concurrent.futures import ProcessPoolExecutor

# Its data package imports this at once and needs it only to generate programs.
sys.modules["datasets"] = types.ModuleType("datasets")
sys.modules["datasets"].load_dataset = None

from evalplus.data.mbpp import mbpp_deserialize_inputs  # noqa: E402
from evalplus.eval import PASS, untrusted_check  # noqa: E402
from evalplus.eval._special_oracle import MBPP_OUTPUT_NOT_NONE_TASKS  # noqa: E402
from evalplus.gen.util import trusted_exec  # noqa: E402


def prepared(job):
    task = job["task"]
    if job["dataset"] == "mbpp":
        for column in ("base_input", "plus_input"):
            task[column] = mbpp_deserialize_inputs(task["task_id"], task[column] or [])
    job["expected"] = {
        column: trusted_exec(
            task["prompt"] + task["canonical_solution"],
            task[column],
            task["entry_point"],
            record_time=True,
            output_not_none=job["dataset"] == "mbpp" and task["entry_point"] in MBPP_OUTPUT_NOT_NONE_TASKS,
        )
        for column in ("base_input", "plus_input")
    }
    return job


def check(job, limit):
    task, statuses = job["task"], []
    for column in ("base_input", "plus_input"):
        outputs, seconds = job["expected"][column]
        status, _ = untrusted_check(
            job["dataset"],
            job["solution"],
            task[column],
            task["entry_point"],
            expected=outputs,
            atol=task["atol"],
            ref_time=seconds,
            fast_check=True,
            min_time_limit=limit,
        )
        statuses.append(status)
        if status != PASS:
            break  # as the rule that it is compared with: plus inputs only for what passes the base
    return statuses == [PASS, PASS]


if __name__ == "__main__":
    with open(sys.argv[1]) as file:
        request = json.load(file)
    jobs = [prepared(job) for job in request["jobs"]]
    with ProcessPoolExecutor(request["workers"]) as pool:
        start = time.monotonic()
        futures = [pool.submit(check, job, request["min_time_limit"]) for job in jobs]
        passed = [future.result() for future in futures]
        print(json.dumps({"seconds": time.monotonic() - start, "passed": passed}))
