"""What bench/engines.py and bench/search.py ask a real model: word problems in its own chat template."""

import argparse
import os
from pathlib import Path

from prmkit.benchmarks import ask, load
from prmkit.tree import Problem

DATA = Path(os.environ.get("PRMKIT_TEST_DATA") or Path(__file__).parents[2] / "shared" / "data")

COUNT = 16

OWN = [
    ("A baker makes 24 rolls in the morning and half as many at noon. She sells 30. How many are left?", "6"),
    ("Tom reads 15 pages a day for 6 days and 20 pages on the seventh. How many pages has he read?", "110"),
    ("A ticket costs 12 dollars, a child's half of it. What do two adults and three children pay?", "42"),
    ("Four boxes hold 18 pens each. Nine pens are dry. How many pens can be used?", "63"),
    ("A train leaves with 86 people. At a stop 29 get off and 17 get on. How many are on the train now?", "74"),
    ("Lena saves 7 dollars a week and has 35. After how many weeks has she 84?", "7"),
    ("A garden is 14 m long and 9 m wide. How many metres of fence surround it, less a gate of 2 m?", "44"),
    ("Rope costs 3 dollars a metre. Of 50 dollars, what is left after buying 11 metres?", "17"),
]
"""For machines without GSM8K."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", type=Path, help="measure this causal LM (a folder) instead")
    parser.add_argument("--problems", type=Path, help=f"rows as GSM8K's; default: {COUNT} of its training problems")


def word_problems(file: Path | None) -> list[Problem]:
    """The first problems of a file, or of GSM8K in ../shared/data or PRMKIT_TEST_DATA, or else a few of our own."""
    gsm8k = DATA / "gsm8k" / "train.jsonl.gz"
    if file is not None or gsm8k.is_file():
        return load("gsm8k", path=file or gsm8k, limit=COUNT, split="train", prompt="chat")
    own = [Problem(id=f"own-{index}", prompt=prompt, answer=answer) for index, (prompt, answer) in enumerate(OWN)]
    return [ask(problem, "gsm8k", "chat") for problem in own]
