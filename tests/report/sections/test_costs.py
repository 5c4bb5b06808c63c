from pathlib import Path

from prmkit.report.blocks import Section
from prmkit.report.read import read_runs
from prmkit.report.sections.costs import costs
from prmkit.session.ledger import Ledger
from tests.report.runs import (
    estimate,
    search_run,
    searched,
    similarity_run,
    strategy_run,
    studied,
    train_run,
    write_run,
)
from tests.report.sections.found import table


def section(*folders: Path) -> Section:
    return costs(read_runs(folders))


def test_the_ledger_has_a_column_a_run_and_a_dash_for_what_was_not_counted(tmp_path: Path) -> None:
    found = section(search_run(tmp_path / "a"), train_run(tmp_path / "t"), strategy_run(tmp_path / "b", {"p": True}))
    ledger = table(found, "Ledger")
    assert ledger.columns == ("", "a", "b")
    rows = {row[0]: row[1:] for row in ledger.rows}
    assert rows["decoded tokens"] == (83_721, 83_721)
    assert rows["FLOPs of the policy"] == (None, None)
    assert rows["FLOPs of the PRM"] == ("0", "0")


def test_seconds_of_every_run_that_has_them(tmp_path: Path) -> None:
    runs = [train_run(tmp_path / "t"), similarity_run(tmp_path / "m"), write_run(tmp_path / "y", "study", studied())]
    found = section(*runs)
    assert table(found, "Time").rows == [("t", 12.0), ("m", 1.0), ("y", 3.0)]
    assert len(found.blocks) == 1


def test_budgets_are_in_words_where_a_search_had_one(tmp_path: Path) -> None:
    limited = search_run(tmp_path / "a", budget={"generations": 4000, "seconds": None, "shared": True})
    free = search_run(tmp_path / "b")
    assert table(section(limited, free), "Budgets").rows == [
        ("a", "4,000 generations, shared by all problems", 1),
        ("b", "none", 1),
    ]
    assert "Budgets" not in [block.title for block in section(free).blocks]  # type: ignore[union-attr]


def test_steps_read_in_a_window_are_a_line_where_there_are_any(tmp_path: Path) -> None:
    ledger = Ledger(prm_windowed=12)
    windowed = write_run(tmp_path / "w", "search", searched("beam", "math", estimate(0.5), ledger=ledger))
    plain = search_run(tmp_path / "a")

    def rows(*folders: Path) -> dict[object, object]:
        return {row[0]: row[1:] for row in table(section(*folders), "Ledger").rows}

    assert rows(plain, windowed)["steps that the PRM read in a window"] == (0, 12)
    assert "steps that the PRM read in a window" not in rows(plain)
