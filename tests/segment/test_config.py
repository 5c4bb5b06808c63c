from dataclasses import dataclass

import pytest
from pydantic import ValidationError

from prmkit.errors import InputError, InputErrors
from prmkit.segment import Segmenter
from prmkit.segment.config import SegmenterConfig, bind_segmenter
from prmkit.segment.split import split


def test_by_default_the_separator_of_the_format_ends_steps() -> None:
    assert bind_segmenter(SegmenterConfig(), " ки").stops == (" ки",)


def test_options_reach_the_segmenter() -> None:
    assert bind_segmenter(SegmenterConfig(name="tokens", options={"length": 7}), "\n").tokens == 7


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("tokens", {}, "segmenter tokens: missing format.steps.options.length; expected a value for it"),
        ("tokens", {"length": 0}, "illegal format.steps.options.length, got 0; expected greater than or equal to 1"),
        ("thoughts", {"most": 9}, "unknown format.steps.options.most, got 9; expected one of length, least"),
        ("separator", {"blocks": "some"}, "illegal format.steps.options.blocks, got 'some'; expected a valid boolean"),
        ("headings", {"word": "Step "}, "Here it is the word before the number"),
    ],
)
def test_options_are_checked_before_anything_runs(
    name: str, options: dict[str, bool | int | float | str], message: str
) -> None:
    with pytest.raises(InputErrors, match=message):
        bind_segmenter(SegmenterConfig(name=name, options=options), "\n")


def test_an_unknown_segmenter_is_told_with_the_nearest() -> None:
    with pytest.raises(InputError, match=r"unknown segmenter, got 'thought'.*Did you mean thoughts\?"):
        bind_segmenter(SegmenterConfig(name="thought"), "\n")


def test_a_key_too_many_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        SegmenterConfig(length=3)  # type: ignore[call-arg]


@dataclass
class Sentences:
    stops: tuple[str, ...]
    tokens: int | None = None

    def end(self, text: str) -> int | None:
        ends = [text.find(stop) + len(stop) for stop in self.stops if stop in text]
        return min(ends, default=None)


def sentences(step_end: str, *, signs: str = ".") -> Segmenter:
    return Sentences(tuple(sign + step_end for sign in signs))


def test_a_segmenter_of_someone_else_by_dotpath() -> None:
    config = SegmenterConfig(name="tests.segment.test_config:sentences", options={"signs": ".?"})
    assert split("Who? I. You", bind_segmenter(config, " ")) == ["Who? ", "I. ", "You"]
