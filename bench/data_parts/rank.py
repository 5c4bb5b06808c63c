"""Run by bench/data.py: the data of one rank, and the memory that is this process's alone, in MB.

    python rank.py RECIPE BATCHES TOKENIZER

It has read all that it imports when it says so by a line, and makes and walks the data when it is given one; so do the
other ranks at the same time, and what all of them map is nobody's alone. The last line is what the data added.
"""

import gc
import itertools
import re
import sys
from pathlib import Path

from recipe import data_of

from prmkit.models.tokenizer import load_tokenizer

_PRIVATE = re.compile(r"Private_\w+:\s+(\d+) kB")


def private_mb() -> float:
    """Memory that would be free if this process ended."""
    gc.collect()
    return sum(map(int, _PRIVATE.findall(Path("/proc/self/smaps_rollup").read_text()))) * 1024 / 1e6


def turn() -> None:
    """Wait until all ranks are as far."""
    print(flush=True)
    sys.stdin.readline()


def main() -> None:
    recipe, batches = Path(sys.argv[1]), int(sys.argv[2])
    tokenizer = load_tokenizer(sys.argv[3])
    tokenizer("a word")
    turn()
    before = private_mb()
    turn()
    data = data_of(recipe)
    for batch in itertools.islice(data.train_dataloader(), batches):
        assert batch.tokens
    turn()
    added = private_mb() - before
    turn()
    print(added, flush=True)


if __name__ == "__main__":
    main()
