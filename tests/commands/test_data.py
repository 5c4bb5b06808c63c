import errno
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from prmkit.run.activity import Activity, watching
from prmkit.sources import SOURCES
from prmkit.trees_io import RecordFile, append_tree, read_trees
from tests.commands.conftest import Answer
from tests.sources.samples import GOOD_ROWS
from tests.tiny import path_tree


def rows_file(path: Path, rows: list[Any]) -> Path:
    path.write_text("".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows))
    return path


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Ten problems of two solutions each."""
    rows = [GOOD_ROWS["trl"] | {"prompt": f"{n} + 1?", "labels": [True, b]} for n in range(10) for b in (True, False)]
    return rows_file(tmp_path / "corpus.jsonl", rows)


def test_every_source_is_listed_with_its_options(prmkit: Callable[..., Answer]) -> None:
    rows = {row["source"]: row for row in json.loads(prmkit("data", "list", "--json").out)}
    assert rows.keys() == SOURCES.builtin.keys()
    assert rows["prm800k"]["options"] == "neutral=positive, screening=False"
    assert all(row["about"] for row in rows.values())


def test_stats_account_for_every_row(prmkit: Callable[..., Answer], corpus: Path) -> None:
    found = json.loads(prmkit("data", "stats", corpus, "--source", "trl", "--size", 30, "--json").out)
    assert [found[key] for key in ("read", "kept", "quarantined", "filtered")] == [20, 20, 0, 0]
    assert [found[key] for key in ("nodes", "labelled", "total", "sampled", "problems")] == [40, 40, 40, 30, 10]
    assert (found["right_share"], found["options"]) == (0.75, {"labelled_by": "human"})


def test_too_many_bad_rows_exit_with_2_after_the_account(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    path = rows_file(tmp_path / "bad.jsonl", [GOOD_ROWS["trl"]] * 9 + ["{torn"])
    strict = prmkit("data", "stats", path, "--source", "trl", "--json")
    assert (strict.code, json.loads(strict.out)["kept"]) == (2, 9)
    assert strict.err.startswith(f"{path}:10: not JSON")
    assert prmkit("data", "stats", path, "--source", "trl", "--max-bad", 0.1).code == 0


def test_conversion_keeps_the_good_and_quarantines_the_bad(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    path = rows_file(tmp_path / "raw.jsonl", [GOOD_ROWS["prm800k"], "{torn"])
    out = tmp_path / "trees.jsonl"
    answer = prmkit("data", "convert", path, "--source", "prm800k", "--set", "neutral=soft", "--out", out, "--json")
    assert (answer.code, json.loads(answer.out)["wrote"]) == (2, 1)
    assert [len(tree) for tree in read_trees(out)] == [4]
    (bad,) = map(json.loads, (tmp_path / "trees.jsonl.quarantine").read_text().splitlines())
    assert (bad["where"], bad["row"]) == (f"{path}:2", "{torn")
    again = prmkit("data", "convert", path, "--source", "prm800k", "--out", out)
    assert (again.code, again.err.strip()) == (2, f"{out}: the file exists. Give --overwrite or another --out.")


def test_trees_become_rows_of_trl_and_come_back(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    path, out = rows_file(tmp_path / "raw.jsonl", [GOOD_ROWS["prm800k"]]), tmp_path / "trl.jsonl"
    assert prmkit("data", "convert", path, "--source", "prm800k", "--to", "trl", "--out", out).code == 0
    assert [json.loads(line) for line in out.read_text().splitlines()] == [
        {"prompt": "1 + 1?", "completions": ["Subtract."], "labels": [False]},
        {"prompt": "1 + 1?", "completions": ["Add.", "It is 3."], "labels": [True, False]},
        {"prompt": "1 + 1?", "completions": ["Add.", "It is 2."], "labels": [True, True]},
    ]
    assert json.loads(prmkit("data", "stats", out, "--source", "trl", "--json").out)["kept"] == 3


def test_a_sample_and_its_validation_share_no_problem(
    prmkit: Callable[..., Answer], corpus: Path, tmp_path: Path
) -> None:
    out, held = tmp_path / "train.jsonl", tmp_path / "validation.jsonl"
    arguments = ("--size", 14, "--unit", "trees", "--validation", 0.4, "--validation-out", held, "--seed", 1)
    answer = prmkit("data", "sample", corpus, "--source", "trl", "--out", out, *arguments, "--json")
    found = json.loads(answer.out)
    sides = [{tree.problem.prompt for tree in read_trees(file)} for file in (out, held)]
    assert found["wrote"] + found["validation"] == 14
    assert sides[0]
    assert sides[1]
    assert not sides[0] & sides[1]
    assert prmkit("data", "sample", corpus, "--source", "trl", "--out", out, "--validation", 0.4).code == 2


def test_a_mix_takes_from_each_by_its_weight(prmkit: Callable[..., Answer], corpus: Path, tmp_path: Path) -> None:
    steps = [GOOD_ROWS["processbench"] | {"id": f"x-{n}", "problem": f"other {n}"} for n in range(10)]
    other = rows_file(tmp_path / "other@home.jsonl", steps)
    out = tmp_path / "mix.jsonl"
    parts = (f"trl={corpus}@3", f"processbench={other}")
    answer = prmkit("data", "mix", *parts, "--size", 16, "--unit", "trees", "--out", out, "--json")
    assert answer.code == 0, answer.err
    ids = [tree.problem.id for tree in read_trees(out)]
    assert (len(ids), sum(id.startswith("trl/") for id in ids)) == (16, 12)
    assert [part["read"] for part in json.loads(answer.out)["corpora"]] == [20, 10]
    assert prmkit("data", "mix", "nothing", "--out", out).code == 2


def test_corpora_are_merged_in_the_order_given_and_their_bad_rows_set_aside(
    prmkit: Callable[..., Answer], corpus: Path, tmp_path: Path
) -> None:
    raw, out = rows_file(tmp_path / "raw@2.jsonl", [GOOD_ROWS["prm800k"], "{torn"]), tmp_path / "all.jsonl"
    parts = (f"prm800k={raw}", f"trl={corpus}", f"prm800k={raw}")
    answer = prmkit("data", "merge", *parts, "--out", out, "--max-bad", 0.5, "--json")
    assert answer.code == 0, answer.err
    found = json.loads(answer.out)
    trees = list(read_trees(out))
    assert [tree.problem.id.partition("/")[0] for tree in trees] == ["prm800k", *["trl"] * 20, "prm800k"]
    assert (found["wrote"], [part["read"] for part in found["corpora"]]) == (22, [2, 20, 2])
    bad = [json.loads(line)["where"] for line in (tmp_path / "all.jsonl.quarantine").read_text().splitlines()]
    assert bad == [f"{raw}:2"] * 2


@pytest.mark.parametrize("verb", ["merge", "mix"])
def test_a_part_is_read_with_the_options_of_its_source(
    prmkit: Callable[..., Answer], corpus: Path, tmp_path: Path, verb: str
) -> None:
    raw, out = rows_file(tmp_path / "raw.jsonl", [GOOD_ROWS["prm800k"]]), tmp_path / "out.jsonl"
    parts = (f"prm800k={raw}", f"trl={corpus}")
    size = ("--size", 2, "--unit", "trees") if verb == "mix" else ()
    options = ("--set", "prm800k.neutral=negative", "--set", "trl.labelled_by=judge")
    answer = prmkit("data", verb, *parts, *size, "--out", out, *options, "--json")
    assert answer.code == 0, answer.err
    assert [part["options"].get("neutral") for part in json.loads(answer.out)["corpora"]] == ["negative", None]
    assert {node.label.source for tree in read_trees(out) for node in tree if node.label} == {"human", "judge"}
    for wrong in ("neutral=negative", "trk.labelled_by=judge"):
        answer = prmkit("data", verb, *parts, "--out", out, "--overwrite", "--set", wrong)
        assert answer.code == 2
        assert answer.err.startswith(f"--set: an option of a part is SOURCE.KEY=VALUE, got '{wrong}'")


def test_what_is_said_again_is_left_out_and_counted(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    row = GOOD_ROWS["trl"] | {"completions": ["a", "b"], "labels": [True, False]}
    again = [row | {"labels": [True, True]}, row, row | {"completions": ["a", "c"]}]
    path, out = rows_file(tmp_path / "rows.jsonl", [row, *again]), tmp_path / "out.jsonl"
    answer = prmkit("data", "deduplicate", path, "--source", "trl", "--out", out, "--json")
    found = json.loads(answer.out)
    assert [found[key] for key in ("kept", "wrote", "repeated", "labels_differ")] == [4, 2, 2, 1]
    labels = [[node.label and node.label.value for node in tree] for tree in read_trees(out)]
    assert labels == [[1.0, 0.0], [1.0, 0.0]]


WRITERS = {
    "convert": (),
    "sample": ("--validation", 0.4, "--validation-out", "VALIDATION"),
    "decontaminate": ("--against", "trees=BENCHMARK"),
    "deduplicate": (),
    "merge": (),
    "mix": ("--size", 2, "--unit", "trees"),
}


@pytest.fixture(params=WRITERS)
def writer(request: pytest.FixtureRequest, corpus: Path, tmp_path: Path) -> tuple[object, ...]:
    """A verb that writes ``out.jsonl`` in ``tmp_path/new`` from the corpus, and what stands there before it."""
    (tmp_path / "new").mkdir()
    for name in ("out.jsonl", "out.jsonl.removed", "out.jsonl.quarantine", "validation.jsonl"):
        (tmp_path / "new" / name).write_text("good\n")
    append_tree(tmp_path / "benchmark.jsonl", path_tree("0 + 1?", [("a", 1.0)]))
    places = {
        "VALIDATION": str(tmp_path / "new" / "validation.jsonl"),
        "trees=BENCHMARK": f"trees={tmp_path}/benchmark.jsonl",
    }
    own = [places.get(str(word), word) for word in WRITERS[request.param]]
    what = [f"trl={corpus}"] if request.param in ("merge", "mix") else [corpus, "--source", "trl"]
    return ("data", request.param, *what, *own, "--out", tmp_path / "new" / "out.jsonl")


def standing(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), 2, "the disk is full. Make room. Choose another --out.\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
    ids=["full-disk", "ctrl-c"],
)
def test_who_cannot_end_leaves_all_as_it_was(
    prmkit: Callable[..., Answer],
    writer: tuple[object, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    code: int,
    said: str,
) -> None:
    def write(self: RecordFile, record: object) -> None:
        if (tmp_path / "new" / "out.jsonl.partial").exists():
            raise error

    before = standing(tmp_path / "new")
    monkeypatch.setattr(RecordFile, "write", write)
    answer = prmkit(*writer, "--overwrite")
    assert (answer.code, standing(tmp_path / "new")) == (code, before)
    assert answer.err.removeprefix("Aborted.").endswith(said)
    assert len(answer.err.strip().splitlines()) <= 1


def test_who_ends_replaces_what_was_there_if_asked_to(
    prmkit: Callable[..., Answer], writer: tuple[object, ...], tmp_path: Path
) -> None:
    before = standing(tmp_path / "new")
    assert (prmkit(*writer).code, standing(tmp_path / "new")) == (2, before)
    answer = prmkit(*writer, "--overwrite")
    assert answer.code == 0, answer.err
    after = standing(tmp_path / "new")
    assert after["out.jsonl"] != "good\n"
    assert "out.jsonl.quarantine" not in after  # no row was bad
    assert not [name for name in after if name.endswith(".partial")]


@pytest.mark.parametrize("out", ["file/out.jsonl", "folder"])
def test_a_place_that_cannot_be_written_is_one_line(
    prmkit: Callable[..., Answer], corpus: Path, tmp_path: Path, out: str
) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    answer = prmkit("data", "convert", corpus, "--source", "trl", "--out", tmp_path / out, "--overwrite")
    assert (answer.code, answer.out, len(answer.err.strip().splitlines())) == (2, "", 1)
    assert answer.err.startswith(f"{tmp_path}/{out}: ")


def test_two_files_of_one_name_are_refused(prmkit: Callable[..., Answer], corpus: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    arguments = ("--out", out, "--validation", 0.4, "--validation-out", out)
    answer = prmkit("data", "sample", corpus, "--source", "trl", *arguments)
    assert (answer.code, answer.err) == (2, f"{out}: two files of one name. Give each its own.\n")


def test_a_corpus_may_be_replaced_by_what_is_made_of_it(prmkit: Callable[..., Answer], tmp_path: Path) -> None:
    path = rows_file(tmp_path / "rows.jsonl", [GOOD_ROWS["trl"]] * 3)
    answer = prmkit("data", "deduplicate", path, "--source", "trl", "--out", path, "--overwrite")
    assert answer.code == 0, answer.err
    assert len(list(read_trees(path))) == 1


def test_who_watches_sees_what_is_read_and_written(
    prmkit: Callable[..., Answer], writer: tuple[object, ...], corpus: Path, tmp_path: Path
) -> None:
    told = []

    @contextmanager
    def watch(begun: Activity) -> Iterator[None]:
        told.append(begun.what)
        yield

    with watching(watch):
        assert prmkit(*writer, "--overwrite").code == 0
    readings = 2 if writer[1] in ("sample", "mix") else 1
    first = ["reading trees"] if writer[1] == "decontaminate" else []
    assert told == [*first, f"writing {tmp_path}/new/out.jsonl", *[f"reading {corpus}"] * readings]


@pytest.mark.realdata
def test_problems_of_a_benchmark_are_taken_out_and_listed(
    prmkit: Callable[..., Answer], data_dir: Path, tmp_path: Path
) -> None:
    out = tmp_path / "clean.jsonl"
    answer = prmkit(
        *("data", "decontaminate", data_dir / "math" / "hendrycks_test_5000.jsonl.gz", "--source", "math"),
        *("--against", f"math500={data_dir}/math500/test500.jsonl", "--out", out, "--json"),
    )
    found = json.loads(answer.out)
    # MATH-500 is a part of MATH's test split.
    assert found["exact"] >= 495
    assert found["wrote"] + found["removed"] == found["kept"] == 5000
    removed = [json.loads(line) for line in (tmp_path / "clean.jsonl.removed").read_text().splitlines()]
    assert len(removed) == found["removed"]
    assert {"id", "prompt", "benchmark", "problem", "how", "text"} == removed[0].keys()


def test_a_download_tells_each_tenth_and_slow_ones_every_ten_seconds(
    prmkit: Callable[..., Answer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0

    def fetch(what: str, out: Path, *, sha256: str | None, done: Callable[[int, int], None]) -> str:
        nonlocal now
        for megabytes, seconds in ((0, 0), (1, 4), (2, 8), (3, 3), (10, 1), (11, 1), (100, 60)):
            now += seconds
            done(megabytes * 1_000_000, 100_000_000)
        return str(out)

    monkeypatch.setattr("prmkit.download.download", fetch)
    monkeypatch.setattr("time.monotonic", lambda: now)
    answer = prmkit("data", "download", "hub:org/name", "--out", tmp_path)
    shown = [line.split(" of ")[0] for line in answer.err.splitlines()]
    assert (answer.code, shown) == (0, ["0.0", "2.0", "10.0", "100.0"])
    assert answer.err.splitlines()[-1] == "100.0 of 100.0 MB, 77 s"


def test_a_wrong_option_or_source_is_one_line(prmkit: Callable[..., Answer], corpus: Path) -> None:
    for arguments in (("--source", "trk"), ("--source", "trl", "--set", "colour=1"), ("--source", "trl", "--set", "x")):
        answer = prmkit("data", "stats", corpus, *arguments)
        assert (answer.code, answer.out, len(answer.err.strip().splitlines())) == (2, "", 1)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("source", "path", "read", "max_bad"),
    [
        ("prm800k", "prm800k_raw", 6, 0.01),
        ("math-shepherd", "math_shepherd", 7, 0.01),
        ("math-aps", "math_aps", 6, 0.01),
        ("processbench", "processbench", 1400, 0.01),
        ("prmbench", "prmbench", 90, 0.01),
        ("apps", "apps", 150, 0.01),
        ("gsm8k", "gsm8k/test.jsonl", 1319, 0.01),
        ("math", "math", 5000, 0.01),
    ],
)
def test_every_real_corpus_is_measured(
    prmkit: Callable[..., Answer], data_dir: Path, source: str, path: str, read: int, max_bad: float
) -> None:
    answer = prmkit("data", "stats", data_dir / path, "--source", source, "--max-bad", max_bad, "--json")
    found = json.loads(answer.out)
    assert (answer.code, found["read"]) == (0, read)
    assert found["read"] == found["kept"] + found["quarantined"] + found["filtered"]
