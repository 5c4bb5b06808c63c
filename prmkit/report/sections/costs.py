"""What each run was allowed, and what it took."""

import math
from collections.abc import Sequence
from typing import Any

from prmkit.report.blocks import Block, Section, Table, TableCell
from prmkit.report.read import Run, single
from prmkit.search.result import SearchResult
from prmkit.session.ledger import Ledger

_LEDGER = {
    "generator_calls": "calls of the policy",
    "generations": "generations",
    "prefill_tokens": "prefilled tokens",
    "cached_tokens": "cached tokens",
    "decode_tokens": "decoded tokens",
    "generator_flops": "FLOPs of the policy",
    "prm_calls": "calls of the PRM",
    "prm_tokens": "tokens of the PRM",
    "prm_cached_tokens": "cached tokens of the PRM",
    "prm_windowed": "steps that the PRM read in a window",
    "prm_flops": "FLOPs of the PRM",
    "too_long": "prompts that fill the policy's context",
    "replayed": "replies from the journal",
}
_RARE = {"prm_windowed", "too_long"}
"""Counts that are shown only where there are any."""


def costs(runs: Sequence[Run]) -> Section:
    """The ledger of each run, a column a run, and the budgets."""
    every = single(runs)
    blocks: list[Block] = []
    searches = [(run, run.result) for run in every if isinstance(run.result, SearchResult)]
    if any(_limits(run) for run, _ in searches):
        limits = [(run.name, ", ".join(_limits(run)) or "none", found.exhausted) for run, found in searches]
        blocks.append(Table(title="Budgets", columns=("run", "limit", "problems it ended"), rows=limits, texts=2))
    found = [(run.name, getattr(run.result, "ledger", None), getattr(run.result, "seconds", None)) for run in every]
    if kept := [(name, ledger) for name, ledger, _ in found if isinstance(ledger, Ledger)]:
        names = [key for key in _LEDGER if key not in _RARE or any(getattr(ledger, key) for _, ledger in kept)]
        rows = [(_LEDGER[key], *(_of(ledger, key) for _, ledger in kept)) for key in names]
        blocks.append(Table(title="Ledger", columns=("", *(name for name, _ in kept)), rows=rows))
    if took := [(name, seconds) for name, _, seconds in found if isinstance(seconds, int | float)]:
        blocks.append(Table(title="Time", columns=("run", "seconds"), rows=took))
    return Section("Budgets and costs", blocks)


def _limits(run: Run) -> list[str]:
    budget: dict[str, Any] = run.recipe.get("budget") or {}
    limits = [f"{value:,} {name.replace('_', ' ')}" for name, value in budget.items() if value and name != "shared"]
    return [*limits, *(["shared by all problems"] if limits and budget.get("shared") else [])]


def _of(ledger: Ledger, key: str) -> TableCell:
    value: float = getattr(ledger, key)
    if math.isnan(value):
        return None
    return f"{value:.3g}" if key.endswith("flops") else value
