from prmkit.grade.math import qwen
from tests.grade.math.official import rows


def test_pairs_are_judged_as_the_authors_functions_judge_them() -> None:
    def verdict(gold: str, answer: str) -> bool:
        found = qwen.find("\\boxed{" + answer + "}", gold)
        return found is not None and qwen.same(gold, found.text)

    facts = rows("pairs.json")
    assert len(facts) == 1500
    assert [row for row in facts if verdict(row[0], row[1]) != bool(row[3])] == []
