from prmkit.sources.stats import CorpusStats
from prmkit.tree import Label
from tests.tiny import path_tree


def test_the_figures_of_a_small_tree_by_hand() -> None:
    tree = path_tree("one two", [("a b", 1.0), ("c", 0.0)])
    tree.add(0, "d e f", label=Label(value=0.5, source="monte-carlo"))
    tree.add(0, "g")
    stats = CorpusStats()
    stats.add(tree)
    # Paths: a b, c (3 words); a b, d e f (5); a b, g (3); each with the problem's 2.
    assert stats.as_dict() == {
        "problems": 1,
        "repeated_trees": 0,
        "solutions": 3,
        "steps_per_solution": 2.0,
        "longest_solution": 2,
        "right_share": 1 / 3,
        "wrong_share": 1 / 3,
        "soft_share": 1 / 3,
        "tokens": 2 + 2 + 1 + 3 + 1,
        "tokens_of_paths": 5 + 7 + 5,
        "duplication": 17 / 9,
        "unique_prefixes": 4 / 6,
    }


def test_a_tree_that_came_before_is_counted_and_a_problem_once() -> None:
    stats = CorpusStats()
    for value in (1.0, 1.0, 0.0):
        stats.add(path_tree("p", [("a", value)]))
    found = stats.as_dict()
    assert (found["problems"], found["repeated_trees"], stats.sizes["trees"]) == (1, 1, 3)


def test_problems_without_steps_have_nothing_to_divide_by() -> None:
    stats = CorpusStats()
    stats.add(path_tree("p", []))
    found = stats.as_dict()
    assert (found["duplication"], found["unique_prefixes"], found["right_share"]) == (None, None, None)
