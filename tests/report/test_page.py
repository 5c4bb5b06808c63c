import base64
import gzip
import hashlib
import os
import re
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest

from prmkit.errors import InputError
from prmkit.recipe.stages import STAGES, stage_named
from prmkit.report import build_report
from prmkit.report import page as report_page
from prmkit.report.blocks import Section
from prmkit.report.page import SECTIONS, Part, sections_of
from prmkit.report.read import Run, read_runs
from prmkit.train.result import TrainingResult
from tests.report.runs import HOSTILE, search_run, similarity_run, train_run


def page(out: Path, *runs: Path, **options: object) -> str:
    build_report(runs, out, title="T", **options)  # type: ignore[arg-type]
    return out.read_text(encoding="utf-8")


def data(text: str, name: str) -> Any:
    """What a data block of a page holds."""
    packed = re.search(f'<script type="application/gzip" id="data-{name}">(.*?)</script>', text)
    assert packed is not None
    return orjson.loads(gzip.decompress(base64.b64decode(packed[1])))


class Elements(HTMLParser):
    """The start tags of a page, as a browser reads them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_the_page_says_what_the_runs_found(tmp_path: Path) -> None:
    runs = [search_run(tmp_path / "s"), train_run(tmp_path / "t"), similarity_run(tmp_path / "m")]
    text = page(tmp_path / "r.html", *runs, notes=["Noted & kept."])
    for figure in ("70.0 ± 1.0", "50.0 ± 1.0", "20.0 ± 5.0", "0.876 ± 0.012", "83,721", "31.25", "12.5", "seed: 7"):
        assert figure in text
    assert "Noted &amp; kept." in text
    assert f"prmkit search {tmp_path}/s/run.yaml --out {tmp_path}/s-again" in text


def test_nothing_is_loaded_and_only_the_two_known_scripts_may_run(tmp_path: Path) -> None:
    from plotly.offline import get_plotlyjs

    text = page(tmp_path / "r.html", search_run(tmp_path / "s"), train_run(tmp_path / "t"))
    assert len(text) < 3_000_000
    elements = Elements(text).found
    for tag, attributes in elements:
        assert tag not in ("link", "img", "iframe", "object", "base")
        assert "src" not in attributes
        assert attributes.get("href", "#").startswith("#")  # type: ignore[union-attr]
        assert not any(name.startswith("on") for name in attributes)
    policy = next(a["content"] for tag, a in elements if tag == "meta" and "http-equiv" in a)
    running = [tag for tag, attributes in elements if tag == "script" and "type" not in attributes]
    script = text[text.rindex("<script>") + len("<script>") : text.rindex("</script>")]
    hashes = [base64.b64encode(hashlib.sha256(one.encode()).digest()).decode() for one in (script, get_plotlyjs())]
    assert running == ["script"]
    assert policy is not None
    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{hashes[0]}' 'sha256-{hashes[1]}'; ")
    assert "unsafe-eval" not in policy


def test_what_a_model_wrote_stays_text(tmp_path: Path) -> None:
    run = search_run(tmp_path / "s", benchmark=HOSTILE)
    text = page(tmp_path / "r.html", run, notes=[HOSTILE])
    assert "alert(1)</script>" not in text
    assert "<img" not in text
    assert text.count("&lt;/script&gt;&lt;script&gt;alert(1)") >= 3
    plain = page(tmp_path / "plain.html", train_run(tmp_path / "t"))
    assert text.count("<script>") == plain.count("<script>") == 1
    assert data(text, "trees-1")["texts"][1] == f"5 {HOSTILE}"  # as it was written, in its data block


def test_the_figures_hold_the_numbers_of_the_runs(tmp_path: Path) -> None:
    text = page(tmp_path / "r.html", search_run(tmp_path / "s"), train_run(tmp_path / "t"))
    figures = {figure["title"]: figure for figure in data(text, "figures")}
    by_samples = figures["Accuracy by samples, s"]["series"]
    assert by_samples[1]["name"] == "maj@k: the vote"
    assert (by_samples[1]["x"], by_samples[1]["y"], by_samples[1]["stderr"]) == ([1, 2, 4], [50.0] * 3, [1.0] * 3)
    loss = figures["Loss, t"]["series"]
    assert [(one["name"], one["x"], one["y"]) for one in loss] == [
        ("training", [1.0, 2.0], [0.7, 0.5]),
        ("held out", [1.0, 2.0], [0.6, 0.4]),
    ]
    assert by_samples[2]["stderr"] == [None] * 3  # unknown
    assert figures["Step scores on held-out steps, t"]["series"][0]["y"] == [0.7, None]  # NaN is a gap
    reliability = figures["Reliability, s"]["series"]
    assert reliability[1]["stderr"] == [pytest.approx((0.75 * 0.25 / 4) ** 0.5)]
    spread = figures["Scores of right and wrong solutions, s"]["series"]
    assert (sum(spread[0]["y"]), spread[0]["y"][18]) == (1, 1)  # one right solution, of score 0.9
    assert (spread[1]["y"][2], spread[1]["y"][10]) == (1, 1)  # two wrong ones, of 0.125 and 0.5
    assert text.count("data-figure=") == len(figures)


def test_sections_without_a_run_are_left_out(tmp_path: Path) -> None:
    text = page(tmp_path / "r.html", similarity_run(tmp_path / "m"))
    headings = re.findall("<h2>(.*?)</h2>", text)
    assert headings == ["Overview", "Similarity of activation patterns", "Budgets and costs", "How to run it again"]
    assert len(SECTIONS) > len(headings)


def test_a_page_is_replaced_only_when_asked_and_as_a_whole(tmp_path: Path) -> None:
    out = tmp_path / "r.html"
    out.write_text("precious")
    with pytest.raises(InputError, match="the file exists"):
        build_report([similarity_run(tmp_path / "m")], out, title="T")
    with pytest.raises(InputError):
        build_report([tmp_path / "gone"], out, title="T", overwrite=True)
    assert out.read_text() == "precious"
    build_report([tmp_path / "m"], out, title="T", overwrite=True)
    assert "precious" not in out.read_text()
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def test_a_folder_with_a_name_that_is_no_text_is_reported(tmp_path: Path) -> None:
    run = train_run(tmp_path / "t")
    odd = run.rename(tmp_path / os.fsdecode(b"odd\xff"))
    assert "odd?" in page(tmp_path / "r.html", odd)


def test_bad_files_leave_no_page(tmp_path: Path) -> None:
    run = search_run(tmp_path / "s")
    (run / "metrics.json").write_text("{")
    with pytest.raises(InputError, match=r"metrics\.json: not JSON"):
        build_report([run], tmp_path / "r.html", title="T")
    assert not (tmp_path / "r.html").exists()


def test_what_goes_wrong_in_a_section_is_a_bug_and_stays_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def section(runs: Sequence[Run]) -> Section:
        raise KeyError("a slip")

    monkeypatch.setattr(report_page, "SECTIONS", (*SECTIONS, Part(section)))
    with pytest.raises(KeyError, match="a slip"):
        build_report([train_run(tmp_path / "t")], tmp_path / "r.html", title="T")
    assert not (tmp_path / "r.html").exists()


def test_a_result_stands_in_a_section_that_names_its_type_or_among_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = read_runs([train_run(tmp_path / "t")])
    assert "Other runs" not in [section.title for section in sections_of(runs)]
    parts = tuple(part for part in SECTIONS if TrainingResult not in part.shows)
    monkeypatch.setattr(report_page, "SECTIONS", parts)
    titles = [section.title for section in sections_of(runs)]
    assert titles == ["Overview", "Other runs", "Budgets and costs", "How to run it again"]


def test_every_stage_of_today_has_a_section_but_for_two() -> None:
    shown = tuple(kind for part in SECTIONS for kind in part.shows)
    kinds = {stage_named(name).result(recipe) for name in STAGES for recipe in ({}, {"compare": {"beam": {}}})}
    assert {kind.kind for kind in kinds if not issubclass(kind, shown)} == {"world", "rethinking"}
