"""Which searches can be paired: those of the same problems."""

from collections.abc import Sequence
from itertools import combinations

from prmkit.report.read import Run, single
from prmkit.search.result import SearchResult


def groups_of(runs: Sequence[Run]) -> list[list[Run]]:
    """The searches with costs, grouped by how they were judged and by their problems: ids, texts and answers."""
    groups: dict[object, list[Run]] = {}
    for run in single(runs):
        if isinstance(run.result, SearchResult) and run.costs:
            groups.setdefault((_grading(run), frozenset(_problems(run).items())), []).append(run)
    return list(groups.values())


def refusals(groups: Sequence[Sequence[Run]]) -> list[str]:
    """Why the runs of one group are not paired with those of another."""
    lines, apart = [], []
    for one, other in combinations(groups, 2):
        a, b = _problems(one[0]), _problems(other[0])
        shared = a.keys() & b.keys()
        if not shared:
            apart += [one, other]
            continue
        changed = sum(a[key] != b[key] for key in shared)
        ours, theirs = _grading(one[0]), _grading(other[0])
        if changed:
            reason = f"{changed} of the {len(shared)} problem ids that both have name different texts or answers"
        elif ours != theirs:
            reason = f"they were judged differently, by {ours} and by {theirs}"
        else:
            reason = f"they searched {len(a)} and {len(b)} problems, of which both have {len(shared)}"
        lines.append(f"{_listed(one)} and {_listed(other)} are not compared: {reason}.")
    if apart:
        names = dict.fromkeys(f"{_listed(group)} ({benchmark_of(group[0])})" for group in apart)
        lines.append(f"Not compared, for they have no problem in common: {'; '.join(names)}.")
    return lines


def one_benchmark(groups: Sequence[Sequence[Run]]) -> bool:
    """Whether two groups name the same benchmark, so that a reader would expect them to be paired."""
    return len({benchmark_of(group[0]) for group in groups}) < len(groups)


def benchmark_of(run: Run) -> str:
    """What was searched, or at least by which run."""
    return run.benchmark or run.name


def _problems(run: Run) -> dict[str, tuple[str, str | None]]:
    """The text and answer of each problem by its id; of a run without trees, the ids alone."""
    if run.trees:
        return {tree.problem.id: (tree.problem.prompt, tree.problem.answer) for tree in run.trees}
    return {cost.problem: ("", None) for cost in run.costs}


def _grading(run: Run) -> str:
    return run.result.grading.judged_by if isinstance(run.result, SearchResult) else ""


def _listed(group: Sequence[Run]) -> str:
    return ", ".join(run.name for run in group)
