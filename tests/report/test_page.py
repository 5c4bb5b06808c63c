import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.report import build_report
from tests.report.runs import HOSTILE, search_run, similarity_run, train_run, write_run


def page(out: Path, *runs: Path, **options: object) -> str:
    build_report(runs, out, title="T", **options)  # type: ignore[arg-type]
    return out.read_text(encoding="utf-8")


def without_plotly(text: str) -> str:
    return re.sub(r"<script>.*?</script>", "", text, count=1, flags=re.DOTALL)


def test_the_page_says_what_the_runs_found(tmp_path: Path) -> None:
    runs = [search_run(tmp_path / "s"), train_run(tmp_path / "t"), similarity_run(tmp_path / "m")]
    text = page(tmp_path / "r.html", *runs, notes=["Noted & kept."])
    for figure in ("70.0 ± 1.0", "50.0 ± 1.0", "20.0 ± 5.0", "0.876 ± 0.012", "83,721", "31.25", "12.5", "seed 7"):
        assert figure in text
    assert "Noted &amp; kept." in text
    assert "Score 0.900, right" in text
    assert "Score 0.125, wrong" in text


def test_nothing_is_loaded_and_the_page_is_small(tmp_path: Path) -> None:
    text = page(tmp_path / "r.html", search_run(tmp_path / "s"), train_run(tmp_path / "t"))
    assert len(text) < 6_000_000

    class Links(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag not in ("link", "img", "iframe")
            assert not {"src", "href"} & {name for name, _ in attrs}

    Links().feed(text)


def test_what_a_model_wrote_stays_text(tmp_path: Path) -> None:
    text = without_plotly(page(tmp_path / "r.html", search_run(tmp_path / "s", benchmark=f"</script>{HOSTILE}")))
    assert HOSTILE not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") >= 3


def test_sections_without_a_run_are_left_out(tmp_path: Path) -> None:
    text = page(tmp_path / "r.html", similarity_run(tmp_path / "m"))
    headings = re.findall("<h2>(.*?)</h2>", text)
    assert headings == ["Cost", "Similarity of activation patterns", "How to run it again"]


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


def test_folders_that_are_no_finished_run_are_named(tmp_path: Path) -> None:
    unfinished = write_run(tmp_path / "u", "search", {})
    (unfinished / "metrics.json").unlink()
    for folders, message in (
        ([], "no run to report"),
        ([tmp_path / "gone"], "gone: not the folder of a finished run"),
        ([unfinished], "u: not the folder of a finished run"),
        ([write_run(tmp_path / "d", "dance", {})], "no report knows this stage, got 'dance'"),
    ):
        with pytest.raises(InputError, match=message):
            build_report(folders, tmp_path / "r.html", title="T")


def test_a_broken_metrics_file_is_named(tmp_path: Path) -> None:
    run = similarity_run(tmp_path / "m")
    (run / "metrics.json").write_text("{")
    with pytest.raises(InputError, match=r"metrics\.json: not JSON"):
        build_report([run], tmp_path / "r.html", title="T")
