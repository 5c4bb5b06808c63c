from pathlib import Path

import pytest

from prmkit.grade.math.prm800k import same
from tests.grade.math.official import rows


def test_pairs_are_judged_as_the_authors_function_judges_them() -> None:
    facts = rows("pairs.json")
    assert len(facts) == 1500
    assert [row for row in facts if same(row[0], row[1]) != bool(row[2])] == []


@pytest.mark.parametrize(
    ("gold", "answer", "verdict"),
    [
        ("\\frac{31}{4}", "7 3/4", True),  # a mixed number: 7 + 3/4
        ("10*10^6", "10 million", True),
        ("1 or 2", "1,2", True),
        ("1,000,000", "1000000", True),  # commas that group digits part nothing
        ("1,2", "1", False),
        ("(1,2]", "(1,2)", False),
        ("(\\frac{1}{2},3)", "(1/2,3)", True),
        ("(1,4)", "(1,2^2)", False),  # each element by the rule for integers
        ("45", "45 degrees", True),
        ("12 inches", "12", True),
        ("2\\pi", "\\pi*2", True),
        ("18.0", "18", True),
        ("50\\%", "50", True),
        ("5", "5\\text{ hours and }30\\text{ minutes}", False),  # two units: all stays, and five is not it
        ("5\\text{ hours and }30\\text{ minutes}", "5\\text{ hours and }20\\text{ minutes}", False),
        ("5", "5\\text{ hours}", True),
        ("50", "", False),
    ],
)
def test_answers_in_other_words(gold: str, answer: str, verdict: bool) -> None:
    assert same(gold, answer) is verdict


def test_more_than_two_letters_and_towers_of_powers_are_never_evaluated() -> None:
    assert same("a+b", "b+a")
    assert not same("a+b+c", "c+b+a")
    assert not same("x+1", "x+2^3^4-2417851639229258349412351")  # equal, if anybody reckoned


def test_what_a_model_wrote_is_never_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert not same("3", f"__import__('pathlib').Path({str(made)!r}).touch()")
    assert not made.exists()
