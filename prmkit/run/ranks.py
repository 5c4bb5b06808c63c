"""Which of the processes that work together this one is, whoever started them.

Training asks its trainer once there is one; everything else asks here.
"""

import os
from typing import NamedTuple


class Process(NamedTuple):
    """One of ``world`` processes that share a run, numbered from 0; alone, it is the first of one."""

    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        """Whether it writes what there is one of: records, reports, results."""
        return self.rank == 0


def this_process() -> Process:
    """This process, as torchrun, Lightning or srun numbered it.

    Of the processes that Lightning starts, only whether this is the first is known.
    """
    if "RANK" in os.environ:
        return Process(_number("RANK"), _number("WORLD_SIZE", 1))
    if "LOCAL_RANK" in os.environ:
        return Process(max(_number("NODE_RANK"), _number("LOCAL_RANK")), _number("WORLD_SIZE", 1))
    rank = _number("SLURM_PROCID")
    # A batch script is alone, though its job has many tasks: its rank is 0, and it is in no step.
    return Process(rank, _number("SLURM_STEP_NUM_TASKS", _number("SLURM_NTASKS", rank + 1) if rank else 1))


def local_rank() -> int:
    """Which of the processes on this machine this one is, and so which of its GPUs it works on."""
    return _number("LOCAL_RANK", _number("SLURM_LOCALID"))


def _number(name: str, default: int = 0) -> int:
    value = os.environ.get(name, "")
    return int(value) if value.isdecimal() else default
