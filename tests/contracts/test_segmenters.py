from unittest import mock

import pytest

from prmkit.segment import SEGMENTERS, blocks
from tests.contracts.segmenter import check_segmenter

OPTIONS: dict[str, dict[str, bool | int | float | str]] = {
    "headings": {},
    "separator": {},
    "statements": {},
    "thoughts": {"length": 30, "least": 5},
    "tokens": {"length": 3},
}


def test_every_segmenter_is_here() -> None:
    assert OPTIONS.keys() == SEGMENTERS.builtin.keys()


@pytest.mark.parametrize("name", OPTIONS)
def test_a_built_in_segmenter_keeps_the_contract(name: str) -> None:
    check_segmenter(name, OPTIONS[name])


@pytest.mark.parametrize("name", OPTIONS)
def test_also_where_a_block_is_held_together_no_longer(name: str) -> None:
    with mock.patch.object(blocks, "LONGEST", 20):
        check_segmenter(name, OPTIONS[name])


@pytest.mark.parametrize(
    ("name", "options", "step_end"),
    [
        ("separator", {}, "\n"),
        ("separator", {"blocks": True}, "\n"),
        ("separator", {"blocks": True}, "ки"),
        ("separator", {"blocks": True}, " ки\n"),
        ("separator", {"blocks": False}, "\n\n"),
        ("separator", {}, "\n---\n"),
        ("headings", {"word": "Lemma no."}, "\n"),
        ("statements", {}, "\n"),
        ("statements", {}, "ки"),
        ("statements", {"fenced": False}, "\n"),
        ("thoughts", {}, "\n"),
        ("thoughts", {"length": 1, "least": 1}, "\n"),
    ],
)
def test_options_and_other_separators_keep_it_too(
    name: str, options: dict[str, bool | int | float | str], step_end: str
) -> None:
    check_segmenter(name, options, step_end=step_end)
