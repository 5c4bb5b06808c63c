"""A corpus of Math-Shepherd's form in any size: its rows, with other numbers in them."""

import json
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from real_model import DATA

from prmkit.sources.math_shepherd import MARK

REAL = DATA / "math_shepherd" / "openr_samples_math-shepherd.jsonl"

SOLUTIONS = 23
"""Solutions of a question: the real corpus has 445,000 rows of some 19,000 questions."""

_STEPS = "Step 1:"
_NUMBER = re.compile(r"(?<!Step )(?<!\d)\d+")

_STORY = (
    "A baker makes 24 rolls in the morning and half as many at noon. She sells 30 of them for $2 each and gives 4 to "
    "her neighbour, who has 3 children and 2 dogs. How many rolls are left in the evening?"
)


@dataclass(frozen=True, slots=True)
class Slotted:
    """A text between whose ``parts`` numbers stand: the number ``slots[i]`` of the row behind ``parts[i]``."""

    parts: tuple[str, ...]
    slots: tuple[int, ...]

    def filled(self, numbers: list[str]) -> str:
        """The text with these numbers."""
        drawn = [*(numbers[slot] for slot in self.slots), ""]
        return "".join(chain.from_iterable(zip(self.parts, drawn, strict=True)))


@dataclass(frozen=True, slots=True)
class Template:
    """A row whose numbers can be changed: of its ``digits``, the first ``asked`` belong to the question."""

    fields: dict[str, str]
    input: Slotted
    label: Slotted
    digits: tuple[int, ...]
    asked: int

    def row(self, numbers: list[str]) -> str:
        """The row with these numbers, as a line of JSON."""
        texts = {"input": self.input.filled(numbers), "label": self.label.filled(numbers)}
        return json.dumps(self.fields | texts, ensure_ascii=False) + "\n"


def write_corpus(out: Path, rows: int, data: Path = REAL) -> int:
    """Write so many rows, and return how many questions they have. The same call writes the same bytes.

    A number that a row says twice stays one number, with as many digits as before. Questions are asked in turns, so
    the solutions of a question lie far apart.
    """
    lines = data.read_text(encoding="utf-8").splitlines() if data.is_file() else list(_made())
    templates = [_template(json.loads(line)) for line in lines]
    count = max(len(templates), rows // SOLUTIONS)
    questions = _questions(templates, count)
    draw = random.Random(1).random
    with out.open("w", encoding="utf-8") as file:
        for number in range(rows):
            template, asked = templates[number % count % len(templates)], questions[number % count]
            own = [_number(digits, draw()) for digits in template.digits[template.asked :]]
            file.write(template.row([*asked, *own]))
    return count


def _questions(templates: list[Template], count: int) -> list[list[str]]:
    """The numbers of each question, no two of which are alike; where the digits do not suffice, there are more."""
    draw = random.Random(0).random
    seen: set[tuple[int, tuple[str, ...]]] = set()
    found = []
    for number in range(count):
        which = number % len(templates)
        template, more = templates[which], 0
        while True:
            asked = [_number(digits + more, draw()) for digits in template.digits[: template.asked]]
            if (which, tuple(asked)) not in seen:
                break
            more += 1
        seen.add((which, tuple(asked)))
        found.append(asked)
    return found


def _number(digits: int, share: float) -> str:
    """A number of so many digits, at this share of their range."""
    least = 10 ** (digits - 1)
    return str(least + int(share * 9 * least))


def _template(row: dict[str, str]) -> Template:
    known: dict[str, int] = {}
    for number in _NUMBER.findall(row["input"].partition(_STEPS)[0]):
        known.setdefault(number, len(known))
    asked = len(known)
    slotted = {name: _slotted(row[name], known) for name in ("input", "label")}
    return Template(row, **slotted, digits=tuple(map(len, known)), asked=asked)


def _slotted(text: str, known: dict[str, int]) -> Slotted:
    """The text without its numbers; those that are new become known."""
    slots = tuple(known.setdefault(number, len(known)) for number in _NUMBER.findall(text))
    return Slotted(tuple(_NUMBER.split(text)), slots)


def _made() -> Iterator[str]:
    """Rows of the shape and size of the real ones, for machines without them."""
    for steps in (3, 4, 6):
        text = f"{_STORY} "
        label = text
        for step in range(1, steps + 1):
            said = f"Step {step}: She has {step}4 + 1{step} * 3 = <<{step}4+1{step}*3={step}97>>{step}97 rolls then, "
            said += "which is what she can still sell on that day after all that she has given away. "
            text += f"{said}{MARK}\n"
            label += f"{said}{'-' if step == steps and steps % 2 else '+'}\n"
        yield json.dumps({"input": text, "label": label, "task": "GSM8K"}, ensure_ascii=False)
