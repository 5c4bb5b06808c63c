from dataclasses import replace

import pytest

from prmkit.errors import InputError
from prmkit.evaluate import intake as module
from prmkit.evaluate.intake import Intake
from prmkit.evaluate.solutions import Solution, Solutions
from prmkit.tree import Problem


def solutions(where: str, name: str = "p", prompt: str = "?", *, score: float | None = None) -> Solutions:
    problem = Problem(id=name, prompt=prompt, answer="1")
    return Solutions(problem=problem, solutions=(Solution(text=where, score=score),), where=where)


def texts(found: Intake) -> dict[str, list[str]]:
    return {each.problem.id: [one.text for one in each.solutions] for each in found.solutions}


def settled(*rows: Solutions) -> Intake:
    found = Intake(read=len(rows))
    for row in rows:
        found.add(row)
    found.settle()
    return found


def test_rows_of_one_problem_are_put_together_and_others_are_renamed() -> None:
    places = (("f:1", "p", "a"), ("f:2", "p", "b"), ("f:3", "p#2", "c"), ("f:4", "p", "a"), ("f:5", "p", "b"))
    found = settled(*[solutions(where, name, prompt) for where, name, prompt in places])
    assert texts(found) == {"p": ["f:1", "f:4"], "p#2": ["f:2", "f:5"], "p#2#2": ["f:3"]}
    assert found.notes == [
        "f:2: another problem than that of f:1 has its id; it is 'p#2' here",
        "f:3: another problem than that of f:2 has its id; it is 'p#2#2' here",
    ]


def test_rows_of_one_problem_are_put_together_once_and_share_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file may have a row for each of hundreds of samples: adding one to all before it takes their square."""
    calls: list[int] = []
    together = module._together
    monkeypatch.setattr(module, "_together", lambda rows: calls.append(len(rows)) or together(rows))
    rows = [solutions(f"f:{number}", name) for number in range(50) for name in ("p", "q")]
    found = Intake()
    for row in rows:
        found.add(row)
    assert len({id(row.problem) for row in found._rows}) == 2
    found.settle()
    assert calls == [50, 50]
    assert texts(found)["q"] == [f"f:{number}" for number in range(50)]


def test_a_new_id_is_not_looked_for_from_the_beginning() -> None:
    looks: list[object] = []

    class Names(dict[str, str]):
        def __contains__(self, name: object) -> bool:
            looks.append(name)
            return super().__contains__(name)

    found = Intake(_names=Names())
    for number in range(50):
        found.add(solutions(f"f:{number}", "p", str(number)))
    found.settle()
    assert [each.problem.id for each in found.solutions][-1] == "p#50"
    assert len(looks) < 4 * 50


def test_the_same_samples_under_another_filter_count_once() -> None:
    found = Intake()
    for where, chosen in (("f:1", "strict"), ("f:2", "flexible"), ("f:3", "strict")):
        found.add(solutions(where), chosen)
    found.settle()
    assert texts(found) == {"p": ["f:1", "f:3"]}
    assert found.repeated == 1


def test_verdicts_are_for_all_rows_of_a_problem_or_for_none() -> None:
    found = settled(solutions("f:1"), replace(solutions("f:2"), verdicts=(True,)), solutions("f:3"))
    assert texts(found) == {"p": ["f:1", "f:3"]}
    assert [row["error"] for row in found.bad] == [
        "f:2: one of two rows of a problem has verdicts; expected both or none, as f:1"
    ]


@pytest.mark.parametrize(("with_scores", "kept"), [(2, "scored"), (1, "scored"), (0, "bare")])
def test_scores_are_for_all_or_for_none_by_the_greater_number(with_scores: int, kept: str) -> None:
    scored = [solutions(f"f:{number}", f"scored{number}", score=0.5) for number in range(1, with_scores + 1)]
    found = settled(solutions("f:0", "bare"), *scored)
    assert {name.rstrip("12") for name in texts(found)} == {kept}
    assert [row["where"] for row in found.bad] == (["f:0"] if with_scores else [])


def test_one_row_without_a_score_takes_no_other_with_it() -> None:
    found = settled(solutions("f:1"), *[solutions(f"f:{line}", score=0.5) for line in range(2, 9)])
    assert texts(found) == {"p": [f"f:{line}" for line in range(2, 9)]}
    assert found.bad == [
        {
            "where": "f:1",
            "error": "f:1: a row has no scores, and others have; expected scores for all or for none",
            "row": "",
        }
    ]


def test_the_record_counts_every_row_and_shows_the_first_bad_ones() -> None:
    found = settled(solutions("f:1"))
    for number in range(2, 32):
        found.set_aside(f"f:{number}", InputError("no", where=f"f:{number}"), "{}")
    record = found.record()
    assert (record.read, record.quarantined, record.repeated, record.notes) == (1, 30, 0, [])
    assert len(record.bad) == 20
    assert (record.bad[0].where, record.bad[0].error) == ("f:2", "no")
    assert list(record.warnings()) == ["30 of 1 rows are set aside in quarantine.jsonl: f:2: no"]
    assert found.bad[0] == {"where": "f:2", "error": "f:2: no", "row": "{}"}
