"""What every segmenter must keep. Run it on your own:

from tests.contracts.segmenter import check_segmenter

def test_mine():
    check_segmenter("my_package.module:factory", {"length": 3})
"""

import itertools
import random
from collections.abc import Iterable, Iterator, Mapping

from hypothesis import given, settings
from hypothesis import strategies as st

from prmkit.segment import Segmenter
from prmkit.segment.config import SegmenterConfig, bind_segmenter
from prmkit.segment.split import split

FRAGMENTS = (
    *("\n", "\n\n", "\n\n\n", "\r\n", " ", "    ", "\t", "\u00a0", "\u2028"),
    *("A sentence. ", "so it is", "é", "数。", "🥚", ".", "?", "x = 1\n", "ки", " ки\n"),
    *("```", "```\n", "```python\n", "````\n", "~~~\n", "~~~ text\n", "   ```\n", "    ```\n", "`", "```x```\n"),
    *("\\begin{align*}", "\\end{align*}", "\\begin{cases}\n", "\\end{cases}\n", "\\begin{", "\\[", "\\]", "\\\\[2pt]"),
    *("$$", "$$\n", "\n$$", "$$x$$", "\\$$", "$"),
    *("| a | b |", "| a |\n", "|---|\n", "\n|"),
    *("Wait", "Wait,", "Wait ", "But wait", "Hmm.", "Let me check", "Let me checkout ", "Actually"),
    *("Step 1", "\nStep 2: ", "\n**Step 3** ", "\n### Step 41.", "\nStep back", "# Step 5"),
    *("def f(x):\n", "    return x\n", "@cache\n", "# why\n", "else:\n", "elsewhere", "\nfinal_x = 3\n"),
    *("for i in x:\n", '"""', "'''", "'", "(", ")", "[\n", "]\n", "\\\n", "import os\n", "This is prose.\n"),
)
TEXTS = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join)


def check_segmenter(
    name: str, options: Mapping[str, bool | int | float | str], *, step_end: str = "\n\n", examples: int = 300
) -> None:
    """Raises an AssertionError that shows the text, cut down to what matters."""
    config = SegmenterConfig(name=name, options=dict(options))
    segmenter = bind_segmenter(config, step_end)
    own = [*FRAGMENTS, *segmenter.stops, step_end]
    # The segmenter's own stops, which are nothing to others, are half of what its texts are made of.
    texts = st.lists(st.sampled_from(own) | st.sampled_from(segmenter.stops or (step_end,)), max_size=25).map("".join)

    @settings(max_examples=examples, database=None)
    @given(text=texts | TEXTS, more=TEXTS, seed=st.integers(0, 2**32))
    def check(text: str, more: str, seed: int) -> None:
        check_end(text, more, segmenter)
        pieces = split(text, segmenter)
        assert pieces == split(text, bind_segmenter(config, step_end)), "it keeps something between two questions"
        check_pieces(text, pieces, segmenter)
        assert streamed(text, segmenter, chunks(text, segmenter, random.Random(seed))) == pieces
        assert streamed(text, segmenter, tokens(text, random.Random(seed))) == pieces

    check()


def check_end(text: str, more: str, segmenter: Segmenter) -> None:
    end = segmenter.end(text)
    if end is not None:
        assert 1 <= end <= len(text)
        assert text[:end].strip(), "a step is not blank"
        assert any(stop in text for stop in segmenter.stops), "nothing is noticed without a stop"
        assert segmenter.end(text + more) == end, "an answer is for good"


def check_pieces(text: str, pieces: list[str], segmenter: Segmenter) -> None:
    assert "".join(pieces) == text
    assert all(piece.strip() for piece in pieces) or len(pieces) == 1
    for number, cut in enumerate(itertools.accumulate(map(len, pieces)), 1):
        assert split(text[:cut], segmenter) == pieces[:number], "a solution up to a step has the same steps"


def chunks(text: str, segmenter: Segmenter, rng: random.Random) -> Iterator[tuple[int, bool]]:
    """Text up to every place where a stop is completed, and to some others, for an engine that always asks."""
    for place in range(1, len(text) + 1):
        if any(text.endswith(stop, 0, place) for stop in segmenter.stops) or rng.random() < 0.3:
            yield place, True


def tokens(text: str, rng: random.Random) -> Iterator[tuple[int, bool]]:
    """Text that comes in pieces of any length, as tokens are: a stop may end within one."""
    place = 0
    while place < len(text):
        place = min(len(text), place + rng.randint(1, 6))
        yield place, False


def streamed(text: str, segmenter: Segmenter, arrivals: Iterable[tuple[int, bool]]) -> list[str]:
    """The steps that an engine ends which is told the text bit by bit."""
    pieces, begin, seen = [], 0, 0
    for place, always in arrivals:
        stopped = any(text.find(stop, max(0, seen - len(stop) + 1), place) >= 0 for stop in segmenter.stops)
        seen = place
        while (always or stopped) and (end := segmenter.end(text[begin:place])) is not None:
            pieces.append(text[begin : begin + end])
            begin += end
    rest = text[begin:]
    if rest.strip() or not pieces:
        return [*pieces, rest] if rest else []
    return [*pieces[:-1], pieces[-1] + rest]
