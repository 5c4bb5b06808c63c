from prmkit.evaluate.contamination import contamination, overlaps
from prmkit.tree import Problem

LONG = "A train leaves the station at nine in the morning and drives 60 miles an hour until it meets another train"


def problem(text: str, name: str = "p") -> Problem:
    return Problem(id=name, prompt=text)


def test_the_same_text_is_seen_whatever_its_case_and_layout() -> None:
    (found,) = overlaps([problem(LONG)], [("other", "What is 2 + 2?"), ("seen", LONG.upper().replace(" ", "\n"))])
    assert (found.share, found.seen_in, found.contaminated) == (1.0, "seen", True)


def test_a_share_counts_runs_of_thirteen_words() -> None:
    words = LONG.split()  # 21 words: 9 runs
    (found,) = overlaps([problem(LONG)], [("part", " ".join(["Once", *words[:14]]))])
    assert found.share == 2 / 9
    assert not found.contaminated


def test_a_short_problem_must_match_whole() -> None:
    short = problem("What is $2 + 2$?")
    assert overlaps([short], [("longer", "What is $2 + 2$? And " + LONG)]) == []
    assert overlaps([short], [("other", "What is $2 + 3$?")]) == []
    assert overlaps([short], [("same", "what is  $2 + 2$ ?")])[0].contaminated


def test_parts_from_several_rows_add_up_and_the_fullest_is_named() -> None:
    words = LONG.split()
    (found,) = overlaps([problem(LONG)], [("start", " ".join(words[:13])), ("end", " ".join(words[5:]))])
    assert (found.share, found.seen_in) == (5 / 9, "end")


def test_what_counts_as_seen_is_told_apart_from_what_shares_a_run() -> None:
    words = LONG.split()
    problems = [problem(LONG, "whole"), problem("What is $2 + 2$?", "new")]
    found = contamination(problems, [("start", " ".join(words[:14]))], "corpus.jsonl")
    assert (found.corpus, found.seen, found.of) == ("corpus.jsonl", 0, 2)
    assert [(each.id, each.share, each.seen_in) for each in found.problems] == [("whole", 2 / 9, "start")]
    assert contamination(problems, [("same", LONG)], "corpus.jsonl").seen == 1
