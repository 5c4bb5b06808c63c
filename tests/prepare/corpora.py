"""Small corpora in files, and what their preparation needs."""

from pathlib import Path

import orjson

from prmkit.packing.encode import StepEncoder
from prmkit.packing.rows import RowShape
from prmkit.sources.corpus import Corpus
from tests.tiny import tiny_encoder

SHAPE = RowShape(max_length=64, budget=64)


def row(number: int) -> dict[str, object]:
    steps = [str(number % 20), "good bad", "3 + 4"][: 1 + number % 3]
    return {"problem": f"{number % 17} + {number % 5} ?", "steps": steps, "labels": [1.0, 0.0, 0.25][: len(steps)]}


def write_rows(path: Path, count: int, *, bad: tuple[int, ...] = ()) -> Path:
    """Rows of the source ``rows``; those whose numbers are in ``bad`` have no problem."""
    rows = [{"steps": []} if number in bad else row(number) for number in range(count)]
    path.write_bytes(b"".join(orjson.dumps(each, option=orjson.OPT_APPEND_NEWLINE) for each in rows))
    return path


def corpus_of(path: Path, **options: object) -> Corpus:
    return Corpus("rows", str(path), **{"max_bad": 1.0, **options})  # type: ignore[arg-type]


def encoder() -> StepEncoder:
    return tiny_encoder()
