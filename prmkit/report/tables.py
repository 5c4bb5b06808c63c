"""The tables and sentences of a report, as HTML. Every text of a model or a file is escaped here."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from prmkit.report.read import Run
from prmkit.yaml_io import dump_yaml

DASH = "\u2013"


def table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """Rows under their columns; None is a dash. The first column is text, the others are figures."""
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    body = "".join(f"<tr>{''.join(f'<td>{_cell(value)}</td>' for value in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def percent(estimate: Mapping[str, Any] | None) -> str:
    """An estimate as a percentage with its standard error."""
    if estimate is None or estimate["value"] is None:
        return DASH
    error = "" if estimate["stderr"] is None else f" ± {100 * estimate['stderr']:.1f}"
    return f"{100 * estimate['value']:.1f}{error}"


def headline(run: Run) -> str:
    """What the PRM is worth in one sentence a comparison, whatever the outcome."""
    assert run.evaluation is not None
    most = _most(run)
    found, differences = run.evaluation["selection"], run.evaluation["differences"]
    lines = []
    for other in (f"maj@{most}", "pass@1"):
        difference = differences.get(f"prm@{most} - {other}")
        if difference is not None:
            lines.append(
                f"<li>prm@{most} {percent(found[f'prm@{most}'])} %, {other} {percent(found[other])} %: "
                f"the difference is {percent(difference)} points, <b>{verdict(difference)}</b>.</li>"
            )
    auc = run.evaluation.get("within_problem_auc")
    if auc is not None and auc["value"] is not None:
        error = "" if auc["stderr"] is None else f" ± {auc['stderr']:.3f}"
        lines.append(
            f"<li>Within one problem, the final score ranks a right solution above a wrong one with "
            f"probability {auc['value']:.3f}{error} (AUC over {auc['n']} problems that have both).</li>"
        )
    benchmark = escape(str(run.metrics.get("benchmark", run.name)))
    return f"<h3>{benchmark}, {run.evaluation['problems']} problems</h3><ul>{''.join(lines)}</ul>"


def verdict(difference: Mapping[str, Any]) -> str:
    """What a paired difference says at two standard errors."""
    value, error = difference["value"], difference["stderr"]
    if error is None or value is None or abs(value) <= 2 * error:
        return "no difference beyond two standard errors"
    return "better by more than two standard errors" if value > 0 else "worse by more than two standard errors"


def strategies(runs: Sequence[Run]) -> str:
    """Each selection rule at the most samples, and how it differs from one sample over the same problems."""
    rows = []
    for run in runs:
        assert run.evaluation is not None
        most = _most(run)
        for rule in ("pass@1", f"maj@{most}", f"weighted@{most}", f"prm@{most}", f"pass@{most}"):
            if rule in run.evaluation["selection"]:
                difference = run.evaluation["differences"].get(f"{rule} - pass@1")
                name = f"{run.metrics.get('benchmark', run.name)}: {rule}"
                rows.append((name, percent(run.evaluation["selection"][rule]), percent(difference)))
    return table(("rule", "accuracy, %", "paired difference to pass@1, points"), rows)


def costs(runs: Sequence[Run]) -> str:
    """What each run took, from its ledger."""
    rows = []
    for run in runs:
        ledger = run.metrics.get("ledger", {})
        rows.append(
            (
                run.name,
                *(ledger.get(key) for key in ("generations", "decode_tokens")),
                ledger.get("prm_tokens", _whole(run.metrics.get("tokens"))),
                run.metrics.get("seconds"),
            )
        )
    return table(("run", "generations", "decoded tokens", "tokens of the PRM", "seconds"), rows)


def similarity(run: Run) -> str:
    """The similarity of each pair of sets."""
    rows = [
        (
            f"{row['first']} and {row['second']}",
            f"{row['mean']:.2f}" + ("" if row["stderr"] is None else f" ± {row['stderr']:.2f}"),
            f"{row['sum']:.1f}",
            row["pairs"],
            f"{row['chance']:.2f}",
        )
        for row in run.metrics["table"]
    ]
    columns = ("sets", "mean cosine, %", "sum of cosines", "pairs", "chance, %")
    return table(columns, rows)


def manifest(run: Run) -> str:
    """What was asked for and with what: enough to run it again."""
    versions = run.record.get("versions")
    known = [f"{name} {value}" for name, value in versions.items()] if isinstance(versions, dict) else []
    facts = [f"seed {run.record.get('seed')}", str(run.record.get("created")), f"git {run.record.get('git')}", *known]
    recipe = dump_yaml(run.record.get("recipe") or {})
    return (
        f"<details><summary>{escape(run.name)} ({escape(run.stage)})</summary>"
        f"<p>{escape(', '.join(facts))}</p><pre>{escape(recipe)}</pre></details>"
    )


def _most(run: Run) -> int:
    assert run.evaluation is not None
    return max(int(name.partition("@")[2]) for name in run.evaluation["selection"])


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _cell(value: object) -> str:
    if value is None:
        return DASH
    if isinstance(value, float):
        return f"{value:,.1f}"
    return escape(f"{value:,}" if isinstance(value, int) else str(value))
