"""docs/backbones.md says what prmkit does with each architecture; ``python -m tests.docs.test_backbones`` finds it out.

With names behind it, only for those: ``python -m tests.docs.test_backbones mistral gemma2``.
"""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.abilities import ABILITIES, find, vllm_models
from tests.docs.pages import ROOT
from tests.zoo import ARCHITECTURES, LEFT_OUT, VARIANTS

PAGE = ROOT / "docs" / "backbones.md"
NAMES = (*ARCHITECTURES, *VARIANTS)
FEW = ("gemma2", "gpt2", "llama", "mistral", "mixtral", "phi3, long rope", "qwen2", "qwen3_next")
"""Those of the fast tests: a window, none, both, a mixture, a stretched context, a recurrent layer, eager attention."""

Found = Mapping[str, Mapping[str, str]]
"""What was found of each ability, by the name of the model."""

_TABLE, _NOTES, _OTHERS = (f"<!-- {name} -->\n" for name in ("table", "notes", "others"))
_END = "<!-- end -->"
_WITH_REASON = re.compile(r"(no|breaks): (.*)")
_NOTED = re.compile(r"(no|breaks) \((\d+)\)")


def written(page: str, found: Found) -> str:
    """The page with what was found."""
    reasons = {
        text[2]: None for row in found.values() for cell in row.values() if (text := _WITH_REASON.fullmatch(cell))
    }
    numbers = {reason: number for number, reason in enumerate(reasons, 1)}

    def cell(text: str) -> str:
        return _WITH_REASON.sub(lambda found: f"{found[1]} ({numbers[found[2]]})", text)

    rows = [["", *ABILITIES], ["---"] * (1 + len(ABILITIES))]
    rows += [[name, *(cell(found[name][ability]) for ability in ABILITIES)] for name in sorted(found)]
    others: dict[str, list[str]] = {}
    for name, reason in sorted(LEFT_OUT.items()):
        others.setdefault(reason, []).append(f"`{name}`")
    page = _between(page, _TABLE, "".join(f"| {' | '.join(row)} |\n" for row in rows))
    page = _between(page, _NOTES, "".join(f"{number}. {reason}\n" for reason, number in numbers.items()))
    return _between(page, _OTHERS, "".join(f"* {', '.join(names)}: {why}.\n" for why, names in others.items()))


def read(page: str) -> Found:
    """What a page says was found."""
    notes = dict(re.findall(r"^(\d+)\. (.*)$", _inside(page, _NOTES), re.MULTILINE))
    head, _, *lines = (line.strip("| \n").split(" | ") for line in _inside(page, _TABLE).splitlines())
    return {
        name: dict(
            zip(head, (_NOTED.sub(lambda cell: f"{cell[1]}: {notes[cell[2]]}", cell) for cell in cells), strict=True)
        )
        for name, *cells in lines
    }


def _inside(page: str, marker: str) -> str:
    return page.partition(marker)[2].partition(_END)[0]


def _between(page: str, marker: str, text: str) -> str:
    before, _, after = page.partition(marker)
    return before + marker + text + _END + after.partition(_END)[2]


def about(text: str) -> str:
    """A finding without its numbers, which rounding and so the processor decide."""
    return re.sub(r"\d+(\.\d+)?(e[+-]\d+)?", "#", text)


@pytest.mark.parametrize(
    "name", [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in NAMES]
)
def test_the_page_says_what_is_found(name: str, tmp_path: Path) -> None:
    told = read(PAGE.read_text(encoding="utf-8")).get(name, {})
    known = [ability for ability in ABILITIES if ability != "vLLM" or vllm_models() is not None]
    wrong = {
        ability: text
        for ability in known
        if about(text := find(name, ability, tmp_path)) != about(told.get(ability, ""))
    }
    assert not wrong, (
        f"{name}: the page says {[told.get(ability) for ability in wrong]}. Run: python -m tests.docs.test_backbones"
    )


def test_the_page_is_complete_and_in_its_form() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert set(read(page)) == set(NAMES)
    assert written(page, read(page)) == page


def main(names: list[str]) -> None:
    if vllm_models() is None:
        sys.exit("vLLM is not installed: make .venv/.vllm")
    page = PAGE.read_text(encoding="utf-8")
    found = dict(read(page)) if names else {}
    for name in names or NAMES:
        with TemporaryDirectory() as folder:
            found[name] = {ability: find(name, ability, Path(folder)) for ability in ABILITIES}
        print(f"{name}: {', '.join(f'{ability} {text}' for ability, text in found[name].items() if text != 'yes')}")
    PAGE.write_text(written(page, found), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
