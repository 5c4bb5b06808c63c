import pytest

from prmkit.segment import blocks
from prmkit.segment.headings import headings
from prmkit.segment.split import split


def test_a_step_begins_with_its_heading() -> None:
    text = "We count.\n\nStep 1: Add.\n2 + 2 = 4\n\nStep 2: Double.\n8"
    assert split(text, headings("\n")) == ["We count.\n\n", "Step 1: Add.\n2 + 2 = 4\n\n", "Step 2: Double.\n8"]


def test_the_heading_that_was_noticed_is_carried_over() -> None:
    assert headings("\n").end("Step 1: Add.\nStep ") is None
    assert headings("\n").end("Step 1: Add.\nStep 2") == 13


@pytest.mark.parametrize(
    "heading",
    ["Step 2:", "Step 2.", "Step 12", "**Step 2**", "**Step 2: x**", "# Step 2", "### Step 2", "#### **Step 2**"],
)
def test_forms_of_a_heading(heading: str) -> None:
    assert split(f"a\n{heading} b", headings("\n")) == ["a\n", f"{heading} b"]


@pytest.mark.parametrize(
    "line",
    ["Step back and look", "Steps 1 and 2", "Step one", "step 2", " Step 2", "See Step 2", "- Step 2", "#Step 2"],
)
def test_what_is_no_heading(line: str) -> None:
    assert split(f"a\n{line}", headings("\n")) == [f"a\n{line}"]


def test_nothing_but_blanks_before_the_first_heading_is_no_step() -> None:
    assert split("\n \nStep 1: a\nStep 2: b", headings("\n")) == ["\n \nStep 1: a\n", "Step 2: b"]


def test_another_word() -> None:
    assert split("a\nÉtape 1 b\nStep 1 c", headings("\n", word="Étape")) == ["a\n", "Étape 1 b\nStep 1 c"]
    assert split("a\n(a+) 1\na 1", headings("\n", word="(a+)")) == ["a\n", "(a+) 1\na 1"]


def test_a_comment_of_a_program_is_no_heading() -> None:
    text = "Step 1: code\n```\n# Step 1\nx = 1\n```\nStep 2: run"
    assert split(text, headings("\n")) == [text.removesuffix("Step 2: run"), "Step 2: run"]


def test_unless_the_program_never_ends() -> None:
    text = "```\n" + "# Step 1: go on and on\n" * 1_000
    first, *others = split(text, headings("\n"))
    assert blocks.LONGEST < len(first) < blocks.LONGEST + 60
    assert set(others) == {"# Step 1: go on and on\n"}


def test_every_stop_is_a_whole_heading() -> None:
    stops = headings("\n").stops
    assert len(stops) == len(set(stops)) == 100
    assert all(headings("\n").end("a" + stop) == 2 for stop in stops)
