import base64
import gzip
import hashlib
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import orjson
import pytest

from prmkit.errors import InputError
from prmkit.report import build_report
from prmkit.report.page import SECTIONS
from tests.report.runs import HOSTILE, search_run, similarity_run, strategy_run, train_run, write_run


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
    assert figures["Step scores on held-out steps, t"]["series"][0]["y"] == [0.7, None]  # NaN is a gap
    reliability = figures["Reliability, s"]["series"]
    assert reliability[1]["stderr"] == [pytest.approx((0.75 * 0.25 / 4) ** 0.5)]
    spread = figures["Scores of right and wrong solutions, s"]["series"]
    assert (sum(spread[0]["y"]), spread[0]["y"][18]) == (1, 1)  # one right solution, of score 0.9
    assert (spread[1]["y"][2], spread[1]["y"][10]) == (1, 1)  # two wrong ones, of 0.125 and 0.5
    assert text.count("data-figure=") == len(figures)


def test_what_an_evaluation_says_beside_its_figures_is_shown(tmp_path: Path) -> None:
    run = search_run(tmp_path / "s")
    found = orjson.loads((run / "evaluation.json").read_bytes())
    found["unsupported"] = {"three": "no such interpreter"}
    found["contamination"] = {"corpus": "c.jsonl", "seen": 2, "of": 200, "problems": []}
    difference = {"value": 0.125, "stderr": 0.0625, "n": 200}
    found["comparison"] = [{"rule": "prm@4", "difference": difference, "better": 30, "worse": 5}]
    (run / "evaluation.json").write_bytes(orjson.dumps(found))
    text = page(tmp_path / "r.html", run)
    assert "1 problems were not judged, the first, three, because: no such interpreter" in text
    assert "2 of 200 problems have been seen in c.jsonl." in text
    assert "<td>0.125 ± 0.062</td><td>30</td><td>5</td>" in text


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


def test_runs_of_different_versions_are_shown_with_a_warning(tmp_path: Path) -> None:
    runs = [strategy_run(tmp_path / "old", {"p": True}), strategy_run(tmp_path / "new", {"p": True})]
    assert "different versions" not in page(tmp_path / "same.html", *runs)
    newer = {"prmkit": "1", "torch": "2"}
    text = page(tmp_path / "r.html", runs[0], strategy_run(tmp_path / "newer", {"p": True}, versions=newer))
    assert "The runs were made by different versions of prmkit: 0 (old); 1 (newer)." in text
    assert "versions of torch" not in text


def test_files_of_another_version_are_no_traceback(tmp_path: Path) -> None:
    run = search_run(tmp_path / "s")
    (run / "evaluation.json").write_bytes(orjson.dumps({"accuracy": 0.5}))
    with pytest.raises(InputError, match=r"not as this version writes them.*prmkit evaluate --overwrite"):
        build_report([run], tmp_path / "r.html", title="T")
    assert not (tmp_path / "r.html").exists()


@pytest.mark.parametrize("chosen", ["none", "7"])
def test_a_tree_that_names_no_step_as_its_answer_is_no_traceback(tmp_path: Path, chosen: str) -> None:
    run = search_run(tmp_path / "s")
    trees = (run / "trees.jsonl").read_text().replace('"chosen","value":"0"', f'"chosen","value":"{chosen}"')
    (run / "trees.jsonl").write_text(trees)
    with pytest.raises(InputError, match="not as this version writes them"):
        build_report([run], tmp_path / "r.html", title="T")


def test_a_folder_with_a_name_that_is_no_text_is_reported(tmp_path: Path) -> None:
    run = train_run(tmp_path / "t")
    odd = run.rename(tmp_path / os.fsdecode(b"odd\xff"))
    assert "odd?" in page(tmp_path / "r.html", odd)


def test_a_broken_metrics_file_is_named(tmp_path: Path) -> None:
    run = similarity_run(tmp_path / "m")
    (run / "metrics.json").write_text("{")
    with pytest.raises(InputError, match=r"metrics\.json: not JSON"):
        build_report([run], tmp_path / "r.html", title="T")


def test_folders_that_are_no_finished_run_are_named(tmp_path: Path) -> None:
    unfinished = write_run(tmp_path / "u", "search", None)
    for folders, message in (
        ([], "no run to report"),
        ([tmp_path / "gone"], "gone: not the folder of a finished run"),
        ([unfinished], "u: not the folder of a finished run"),
        ([write_run(tmp_path / "d", "dance", {})], "no report knows this stage, got 'dance'"),
    ):
        with pytest.raises(InputError, match=message):
            build_report(folders, tmp_path / "r.html", title="T")
