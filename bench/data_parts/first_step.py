"""Run by bench/data.py: a ``prmkit`` command up to the first step of an optimiser, where the process ends.

    python first_step.py train RECIPE ...

The last line that it prints is JSON: ``seconds`` since torch and Lightning were imported, ``importing`` before that,
``cpu`` seconds of this process since then and of those that it waited for, and ``peak_mb``, the memory of the largest.
"""

import json
import os
import resource
import time
from typing import Any

_START = time.perf_counter()


def main() -> None:
    import lightning.pytorch  # noqa: F401
    from torch.optim.optimizer import register_optimizer_step_post_hook

    imported, cpu = time.perf_counter(), time.process_time()

    def end(*_: Any) -> None:
        own, waited = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
        found = {
            "seconds": time.perf_counter() - imported,
            "importing": imported - _START,
            "cpu": time.process_time() - cpu + waited.ru_utime + waited.ru_stime,
            "peak_mb": max(own.ru_maxrss, waited.ru_maxrss) / 1000,
        }
        print(json.dumps(found), flush=True)
        os._exit(0)

    register_optimizer_step_post_hook(end)
    from prmkit.commands import main as command

    command()


if __name__ == "__main__":
    main()
