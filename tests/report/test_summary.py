from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.report import markdown_summary, write_summary
from tests.report.runs import HOSTILE, search_run, similarity_run, train_run


def test_the_summary_has_the_figures_with_their_errors(tmp_path: Path) -> None:
    text = markdown_summary([search_run(tmp_path / "s"), train_run(tmp_path / "t"), similarity_run(tmp_path / "m")])
    lines = text.splitlines()
    assert "| s (synthetic-math) | prm@4 | 70.0 ± 1.0 | 20.0 ± 5.0 |" in lines
    assert "| math and code | 31.25 | 12.5 | 40 | 8.00 |" in lines
    assert any(line.startswith("* s (synthetic-math): prm@4 70.0 ± 1.0 %, maj@4 50.0 ± 1.0 %.") for line in lines)
    assert [line for line in lines if line.startswith("## ")] == [
        "## Overview",
        "## Accuracy",
        "## Calibration",
        "## Training",
        "## Similarity of activation patterns",
        "## Budgets and costs",
    ]
    for index, line in enumerate(lines):
        if line.startswith("### "):
            assert not lines[index + 2].startswith("#")  # no heading stands over nothing


def test_text_obeys_neither_markdown_nor_html(tmp_path: Path) -> None:
    text = markdown_summary([search_run(tmp_path / "s", benchmark=f"a|b\n## c {HOSTILE} [x](y)")])
    assert "\\|b \\#\\# c \\</script\\>\\<script\\>" in text
    assert "\\[x\\](y)" in text
    assert "<script>" not in text.replace("\\<script", "")


def test_a_summary_is_replaced_only_when_asked(tmp_path: Path) -> None:
    run, out = train_run(tmp_path / "t"), tmp_path / "r.md"
    out.write_text("precious")
    with pytest.raises(InputError, match="the file exists"):
        write_summary([run], out)
    assert out.read_text() == "precious"
    write_summary([run], out, overwrite=True)
    assert out.read_text() == markdown_summary([run])
