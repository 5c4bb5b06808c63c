"""What was run, what came out, and what a reader must know before believing it."""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence

from prmkit.annotate.result import AnnotationResult
from prmkit.report.blocks import Block, Card, Cards, Prose, Section, Table, TableCell
from prmkit.report.estimates import DASH, percent, verdict, with_error
from prmkit.report.read import Run, single, with_members
from prmkit.report.sections.pairing import groups_of, one_benchmark, refusals
from prmkit.search.result import SearchResult
from prmkit.similarity.result import SimilarityResult
from prmkit.train.result import TrainingResult

_VERSIONED = ("prmkit", "torch", "transformers", "lightning", "vllm")


def overview(runs: Sequence[Run]) -> Section:
    """Headline numbers, warnings, and a row a run."""
    return Section("Overview", [*_cards(runs), *warnings(runs), *_unpaired(runs), *_findings(runs), _table(runs)])


def warnings(runs: Sequence[Run]) -> list[Block]:
    """What is missing, what rests on a part of the problems, and which runs were made by different versions."""
    lines = [line for run in with_members(runs) for line in run.missing]
    every = single(runs)
    for run in every:
        lines += [f"{run.title}: {said}." for said in (run.evaluation.warnings() if run.evaluation is not None else ())]
    for name in _VERSIONED:
        found = defaultdict(list)
        for run in every:
            found[str((run.record.get("versions") or {}).get(name, "none"))].append(run.name)
        if len(found) > 1:
            parts = "; ".join(f"{version} ({', '.join(names)})" for version, names in found.items())
            lines.append(f"The runs were made by different versions of {name}: {parts}. They may differ by that.")
    return [Prose(lines, warning=True)] if lines else []


def _unpaired(runs: Sequence[Run]) -> Iterator[Block]:
    groups = groups_of(runs)
    if len(groups) > 1:
        yield Prose(refusals(groups), warning=one_benchmark(groups))


def _cards(runs: Sequence[Run]) -> Iterator[Block]:
    cards = []
    for run in single(runs):
        if run.evaluation is not None:
            found, most = run.evaluation.selection, run.evaluation.most
            name = f"prm@{most}" if f"prm@{most}" in found else f"maj@{most}"
            note = ", ".join(f"{rule} {percent(found[rule])}" for rule in ("pass@1", f"pass@{most}"))
            cards.append(Card(name=f"{run.title}: {name}", value=f"{percent(found[name])} %", note=note))
        elif isinstance(run.result, SearchResult):
            cards.append(Card(name=f"{run.title}: accuracy", value=f"{percent(run.result.accuracy)} %"))
        elif isinstance(run.result, TrainingResult):
            note = f"{run.result.labels:,} labelled steps, {run.result.steps:,} updates"
            auroc = DASH if math.isnan(run.result.auroc) else f"{run.result.auroc:.3f}"
            cards.append(Card(name=f"{run.name}: held-out AUROC", value=auroc, note=note))
    if cards:
        yield Cards(cards)


def _findings(runs: Sequence[Run]) -> Iterator[Block]:
    """What the PRM is worth, a sentence a comparison, whatever the outcome."""
    lines = []
    for run in single(runs):
        if run.evaluation is None:
            continue
        found, most = run.evaluation.selection, run.evaluation.most
        for other in (f"maj@{most}", "pass@1"):
            difference = run.evaluation.differences.get(f"prm@{most} - {other}")
            if difference is not None:
                one, rest = percent(found[f"prm@{most}"]), percent(found[other])
                lines.append(
                    f"{run.title}: prm@{most} {one} %, {other} {rest} %. "
                    f"The paired difference is {percent(difference)} points: {verdict(difference)}."
                )
        auc = run.evaluation.within_problem_auc
        if auc is not None and auc.n:
            lines.append(
                f"{run.title}: within one problem, the final score ranks a right solution above a wrong one with "
                f"probability {with_error(auc)} (AUC over {auc.n} problems that have both)."
            )
    if lines:
        yield Prose(lines)


def _table(runs: Sequence[Run]) -> Table:
    columns = ("run", "stage", "what", "accuracy, %", "problems", "seconds", "made")
    return Table(columns=columns, rows=[_row(run) for run in single(runs)], texts=3)


def _row(run: Run) -> Sequence[TableCell]:
    accuracy = run.result.accuracy if isinstance(run.result, SearchResult) else None
    counted, seconds = (getattr(run.result, name, None) for name in ("problems", "seconds"))
    problems = counted if isinstance(counted, int) else len(run.trees) or None
    return (
        run.name,
        run.stage,
        _what(run),
        percent(accuracy) if accuracy else None,
        accuracy.n if accuracy else problems,
        seconds if isinstance(seconds, int | float) else None,
        str(run.record.get("created", DASH))[:16].replace("T", " "),
    )


def _what(run: Run) -> str:
    if isinstance(run.result, SearchResult):
        return f"{run.result.strategy} on {run.benchmark}"
    if isinstance(run.result, TrainingResult):
        return f"{run.recipe.get('model', {}).get('name', '')} on {run.recipe.get('data', {}).get('path', '')}"
    if isinstance(run.result, AnnotationResult):
        estimators = [str(one.get("estimator")) for one in run.recipe.get("annotators", ())]
        return f"{run.result.labelled:,} steps labelled by {', '.join(estimators)}"
    if isinstance(run.result, SimilarityResult):
        return ", ".join(run.result.responses)
    return str(run.recipe.get("path", run.recipe.get("name", "")))
