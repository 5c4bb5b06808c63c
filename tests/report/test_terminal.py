from prmkit.report.terminal import drawn
from tests.report.trees import searched_tree


def test_a_tree_in_the_terminal_shows_depth_scores_and_marks_and_obeys_no_text() -> None:
    lines = drawn(searched_tree()).plain.splitlines()
    assert "→ 0.900  add" in lines
    assert "  → 0.800  2" in lines
    assert "  ● 0.200  3" in lines
    assert "✗ 0.100  left [31m" in lines
    assert "…   -    cut" in lines


def test_notes_for_programs_are_not_shown() -> None:
    tree = searched_tree()
    tree.meta |= {"step_end": "\n\n", "tokenizer": "d5194e82d55424b2", "strategy": "beam"}
    shown = drawn(tree).plain
    assert "strategy beam" in shown
    assert "tokenizer" not in shown
    assert "step_end" not in shown
