"""A similarity run: the Gram into its folder, and the statistics that follow from it."""

import logging
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch

from prmkit.errors import InputError
from prmkit.run.activity import busy
from prmkit.run.ranks import Process, this_process
from prmkit.similarity.config import SimilarityBaseline, SimilarityConfig
from prmkit.similarity.patterns.baselines import baseline_kernels
from prmkit.similarity.patterns.batches import fitting
from prmkit.similarity.patterns.engine import BatchWatch, compare
from prmkit.similarity.patterns.parameters import Reference
from prmkit.similarity.presets import PRESETS
from prmkit.similarity.response import Response
from prmkit.similarity.result import SimilarityResult
from prmkit.similarity.statistics.gram import PatternGram
from prmkit.similarity.statistics.result import Statistics
from prmkit.similarity.statistics.set_means import SetMeans
from prmkit.similarity.statistics.table import statistics

_LOG = logging.getLogger(__name__)

NONE_LEFT_OUT: Mapping[str, int] = {}


def sets_that_fit(
    model: Reference, sets: Mapping[str, Sequence[Response]]
) -> tuple[dict[str, list[Response]], dict[str, int]]:
    """The sets without responses that are longer than the context of the model, and how many of each are left out.

    Raises:
        InputError: none of a set fits.
    """
    kept = {name: fitting(model, responses) for name, responses in sets.items()}
    too_long = {name: len(given) - len(kept[name]) for name, given in sets.items() if len(kept[name]) < len(given)}
    for name, count in too_long.items():
        if not kept[name]:
            raise InputError("every response is longer than the context of the reference model", where=name)
        _LOG.warning("%s: %d responses are longer than the context of the reference model, and left out", name, count)
    return kept, too_long


def run_similarity(
    model: Reference,
    sets: Mapping[str, Sequence[Response]],
    config: SimilarityConfig,
    folder: Path,
    *,
    baselines: Sequence[SimilarityBaseline],
    draws: int,
    seed: int,
    progress: BatchWatch | None = None,
    too_long: Mapping[str, int] = NONE_LEFT_OUT,
) -> SimilarityResult | None:
    """Compare the sets and return the statistics; the Gram is kept in ``folder/gram``, and read if it is there.

    Under torchrun the processes share the work, and the first one returns the result, the others None.

    Raises:
        InputError, RunError: as ``compare``.
    """
    start = time.monotonic()
    process = this_process()
    if process.world > 1:
        _meet(process)
        torch.distributed.barrier()  # The first process makes, or clears, the folder of the run.
    found: PatternGram | SetMeans | None
    if (folder / "gram").exists():
        found = None if process.rank else PatternGram.load(folder / "gram")
    else:
        found = compare(model, sets, config, folder=folder / "parts", process=process, progress=progress)
        if isinstance(found, PatternGram):
            with busy("computing the baselines"):
                found = replace(found, baselines=baseline_kernels(model, sets, config, baselines))
            found.save(folder / "gram")
    if found is None:
        return None
    shutil.rmtree(folder / "parts", ignore_errors=True)
    with busy("computing the statistics"):
        if isinstance(found, SetMeans):
            figures = Statistics(table=found.table())
        else:
            figures = statistics(found, seed=seed, draws=draws)
    preset = PRESETS.get(config.preset or "")
    return SimilarityResult(
        **dict(figures),
        responses={name: len(responses) for name, responses in sets.items()},
        too_long=dict(too_long),
        origin=found.origin,
        known=list(preset.known) if preset else [],
        inferred=list(preset.inferred) if preset else [],
        seconds=time.monotonic() - start,
    )


def _meet(process: Process) -> None:
    """Join the other processes, at the address that torchrun gives, or srun through Lightning's reading of it."""
    if torch.distributed.is_initialized():
        return
    if "MASTER_ADDR" not in os.environ:
        from lightning.fabric.plugins.environments.slurm import SLURMEnvironment

        slurm = SLURMEnvironment()
        os.environ |= {"MASTER_ADDR": slurm.main_address, "MASTER_PORT": str(slurm.main_port)}
    torch.distributed.init_process_group("gloo", rank=process.rank, world_size=process.world, timeout=timedelta(days=7))
