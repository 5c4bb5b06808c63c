"""An attribution as one self-contained HTML page, without scripts. Every text is escaped: models wrote it."""

import math
from collections.abc import Sequence
from html import escape

from prmkit.attribution.record import Attribution, StepInfluence, TokenAttribution

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; }
body { font: 16px/1.6 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; border-bottom: 1px solid #8883; text-align: right; }
td.text, th.text { text-align: left; }
code span { padding: .1rem 0; }
meter { width: 8rem; }
tr.explained { outline: 2px solid #0072b2; }
"""
# Okabe and Ito's blue and vermilion, which people with any colour vision tell apart.
_RAISES, _LOWERS = "0,114,178", "213,94,0"


def attribution_page(found: Attribution, title: str) -> str:
    """The page: steps with their scores and heat, then what each step does to each score.

    Blue raises the score of the explained step, orange lowers it.
    """
    sections = [
        f"<h1>{escape(title)}</h1><p><b>{escape(found.problem)}</b></p>",
        _scores(found),
        *(_tokens(found, one) for one in found.by_token),
        *(_matrix(one) for one in found.by_step),
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>'
        f"<body>{''.join(sections)}</body></html>\n"
    )


def _scores(found: Attribution) -> str:
    rows = []
    for number, (text, score) in enumerate(zip(found.steps, found.scores, strict=True)):
        mark = " class=explained" if number == found.explained else ""
        bar = f'<meter min="0" max="1" value="{score:.3f}">{score:.3f}</meter>'
        cells = (
            f"<td>{number + 1}</td><td class=text><code>{escape(text)}</code></td><td>{bar}</td><td>{score:.3f}</td>"
        )
        rows.append(f"<tr{mark}>{cells}</tr>")
    return f"<h2>Step scores</h2><table>{''.join(rows)}</table>"


def _tokens(found: Attribution, one: TokenAttribution) -> str:
    most = max(map(abs, one.values), default=0.0)
    lines: dict[int, list[str]] = {}
    for text, step, value in zip(found.tokens, found.step_of, one.values, strict=True):
        shown = escape(text.replace("\n", "\u21b5"))
        lines.setdefault(step, []).append(f'<span style="{_heat(value, most)}" title="{value:+.4f}">{shown}</span>')
    rows = [
        f"<tr><td>{'problem' if step < 0 else step + 1}</td><td class=text><code>{' '.join(spans)}</code></td></tr>"
        for step, spans in lines.items()
    ]
    return (
        f"<h2>Tokens, by {escape(one.method)}</h2><p>What each token adds to the logit of score {found.explained + 1}. "
        f"{_trust(one)}</p><table>{''.join(rows)}</table>"
    )


def _trust(one: TokenAttribution) -> str:
    parts = []
    if one.relative_delta is not None:
        parts.append(
            f"Convergence delta: {one.delta:+.4f}, {100 * one.relative_delta:.2f} % of what there is to explain."
        )
    parts.append(
        f"Without the tenth of the tokens with the largest values the logit falls by {one.ablation:+.3f}, without as "
        f"many random ones by {one.random_ablation:+.3f}."
    )
    return " ".join(parts)


def _matrix(one: StepInfluence) -> str:
    most = max((abs(value) for row in one.matrix for value in row), default=0.0)
    head = "".join(f"<th>score {column + 1}</th>" for column in range(len(one.matrix)))
    rows = "".join(_matrix_row(number, row, most) for number, row in enumerate(one.matrix))
    changes = "".join(f"<td>{value:+.2f}</td>" for value in one.change)
    return (
        f"<h2>Steps, by {escape(one.method)}</h2><p>What a step (row) adds to the logit of a score (column). The sums "
        f"of the columns miss the whole change by at most {one.gap:.3f}.</p><table><tr><th></th>{head}</tr>{rows}"
        f"<tr><td class=text>all steps together</td>{changes}</tr></table>"
    )


def _matrix_row(number: int, row: Sequence[float], most: float) -> str:
    cells = "".join(
        f'<td style="{_heat(value, most)}">{value:+.2f}</td>' if column >= number else "<td></td>"
        for column, value in enumerate(row)
    )
    return f"<tr><td class=text>step {number + 1}</td>{cells}</tr>"


def _heat(value: float, most: float) -> str:
    share = abs(value) / most if most and math.isfinite(value) else 0.0
    return f"background:rgba({_RAISES if value > 0 else _LOWERS},{share:.2f})"
