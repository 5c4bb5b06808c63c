"""What was run, what came out, and what a reader must know before believing it."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from prmkit.report.blocks import Block, Card, Cards, Cell, Prose, Section, Table
from prmkit.report.estimates import DASH, percent, verdict, with_error
from prmkit.report.read import Run, single
from prmkit.report.sections.pairing import groups_of, one_benchmark, refusals

_VERSIONED = ("prmkit", "torch", "transformers", "lightning", "vllm")


def overview(runs: Sequence[Run]) -> Section:
    """Headline numbers, warnings, and a row a run."""
    return Section("Overview", [*_cards(runs), *warnings(runs), *_unpaired(runs), *_findings(runs), _table(runs)])


def warnings(runs: Sequence[Run]) -> list[Block]:
    """What is missing, and which runs were made by different versions."""
    lines = [line for run in runs for one in (run, *run.members) for line in one.missing]
    every = single(runs)
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


def most_samples(run: Run) -> int:
    """The most samples of a problem that the selection rules were computed for."""
    assert run.evaluation is not None
    return max(int(name.partition("@")[2]) for name in run.evaluation["selection"])


def _cards(runs: Sequence[Run]) -> Iterator[Block]:
    cards = []
    for run in single(runs):
        if run.evaluation is not None:
            found, most = run.evaluation["selection"], most_samples(run)
            name = f"prm@{most}" if f"prm@{most}" in found else f"maj@{most}"
            note = f"pass@1 {percent(found['pass@1'])}, pass@{most} {percent(found[f'pass@{most}'])}"
            cards.append(Card(name=f"{run.title}: {name}", value=f"{percent(found[name])} %", note=note))
        elif run.stage == "search" and "accuracy" in run.metrics:
            cards.append(Card(name=f"{run.title}: accuracy", value=f"{percent(run.metrics['accuracy'])} %"))
        elif run.stage == "train" and "auroc" in run.metrics:
            note = f"{run.metrics.get('labels', 0):,.0f} labelled steps, {run.metrics.get('steps', 0):,.0f} updates"
            cards.append(Card(name=f"{run.name}: held-out AUROC", value=f"{run.metrics['auroc']:.3f}", note=note))
    if cards:
        yield Cards(cards)


def _findings(runs: Sequence[Run]) -> Iterator[Block]:
    """What the PRM is worth, a sentence a comparison, whatever the outcome."""
    lines = []
    for run in single(runs):
        if run.evaluation is None:
            continue
        found, most = run.evaluation["selection"], most_samples(run)
        for other in (f"maj@{most}", "pass@1"):
            difference = run.evaluation["differences"].get(f"prm@{most} - {other}")
            if difference is not None:
                one, rest = percent(found[f"prm@{most}"]), percent(found[other])
                lines.append(
                    f"{run.title}: prm@{most} {one} %, {other} {rest} %. "
                    f"The paired difference is {percent(difference)} points: {verdict(difference)}."
                )
        auc = run.evaluation.get("within_problem_auc")
        if auc is not None and auc["value"] is not None:
            lines.append(
                f"{run.title}: within one problem, the final score ranks a right solution above a wrong one with "
                f"probability {with_error(auc)} (AUC over {auc['n']} problems that have both)."
            )
    if lines:
        yield Prose(lines)


def _table(runs: Sequence[Run]) -> Table:
    columns = ("run", "stage", "what", "accuracy, %", "problems", "seconds", "made")
    return Table(columns=columns, rows=[_row(run) for run in single(runs)], texts=3)


def _row(run: Run) -> Sequence[Cell]:
    accuracy = run.metrics.get("accuracy")
    seconds = run.metrics.get("seconds")
    return (
        run.name,
        run.stage,
        _what(run),
        percent(accuracy) if accuracy else None,
        accuracy["n"] if accuracy else run.metrics.get("problems", len(run.trees) or None),
        seconds if isinstance(seconds, int | float) else None,
        str(run.record.get("created", DASH))[:16].replace("T", " "),
    )


def _what(run: Run) -> str:
    if run.stage == "search":
        strategy = run.metrics.get("strategy") or (run.recipe.get("strategy") or {}).get("name", "")
        return f"{strategy} on {run.metrics.get('benchmark', '')}"
    if run.stage == "train":
        return f"{run.recipe.get('model', {}).get('name', '')} on {run.recipe.get('data', {}).get('path', '')}"
    if run.stage == "annotate":
        estimators = [str(one.get("estimator")) for one in run.recipe.get("annotators", ())]
        return f"{run.metrics.get('labelled', 0):,} steps labelled by {', '.join(estimators)}"
    if run.stage == "similarity":
        return f"{', '.join(run.recipe.get('sets', {}))}"
    return str(run.recipe.get("path", run.recipe.get("name", "")))
