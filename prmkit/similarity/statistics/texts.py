"""What can be read off responses without a model: how long they are, and how often they think again.

Source of the markers: the responses the paper's Figure 6 calls rethinking.
"""

import re
from collections.abc import Sequence

from prmkit.similarity.statistics.gram import PatternGram
from prmkit.similarity.statistics.result import TextFacts
from prmkit.stats import Estimate, clustered_mean

RETHINKING = re.compile(
    r"\b(wait|hmm|however|actually|alternatively|re-?check|double[- ]check|let me (check|verify)|mistake|correction)\b",
    re.IGNORECASE,
)
"""Words of a step that thinks again."""


def text_facts(gram: PatternGram) -> list[TextFacts]:
    """The facts of each set. A step is a line."""
    facts = []
    for name, rows in gram.sets.items():
        markers = [len(RETHINKING.findall(gram.texts[row])) for row in rows]
        lengths = [gram.lengths[row] for row in rows]
        correct = [gram.correct[row] for row in rows]
        facts.append(
            TextFacts(
                set=name,
                responses=len(rows),
                tokens=_mean(gram, rows, lengths),
                steps=_mean(gram, rows, [gram.texts[row].count("\n") + 1 for row in rows]),
                right=None if None in correct else _mean(gram, rows, [float(bool(one)) for one in correct]),
                rethinks=_mean(gram, rows, [float(count > 0) for count in markers]),
                markers=_mean(
                    gram, rows, [100 * count / length for count, length in zip(markers, lengths, strict=True)]
                ),
            )
        )
    return facts


def _mean(gram: PatternGram, rows: Sequence[int], values: Sequence[float]) -> Estimate:
    return clustered_mean(values, [gram.problem_ids[row] for row in rows])
