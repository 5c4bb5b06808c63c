from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.evaluate.searches import aggregation_of, judged_searches, refuse_searches, search_in, searches_in
from prmkit.grade.config import DEFAULT, GradingConfig
from prmkit.tree import ROOT, Problem, StepTree
from prmkit.trees_io import write_trees
from prmkit.yaml_io import dump_yaml


def search_run(folder: Path, *answers: str, **recipe: object) -> Path:
    """A search of one problem, whose answer is 4."""
    tree = StepTree(Problem(id=folder.name, prompt="?", answer="4"), meta={"aggregation": "min"})
    for answer in answers:
        tree.add(ROOT, f"#### {answer}", finish="eos")
    folder.mkdir(parents=True)
    write_trees(folder / "trees.jsonl", [tree])
    (folder / "run.yaml").write_text(dump_yaml({"recipe": {"stage": "search", **recipe}}))
    return folder


def test_a_search_says_how_it_was_judged_and_how_it_answers(tmp_path: Path) -> None:
    grading = {"grader": "qwen", "vote": "behaviour", "unsafe_local": False}
    strategy = {"name": "mcts", "options": {"n": 4, "answer_by": "weighted"}}
    found = search_in(search_run(tmp_path / "run", "4", grading=grading, strategy=strategy))
    assert (found.name, found.grading, found.aggregation) == ("mcts", GradingConfig(grader="qwen"), "min")
    assert found.strategy is not None
    assert (found.strategy.name, found.rule) == ("mcts", "weighted")


@pytest.mark.parametrize(
    ("strategy", "rule"),
    [
        ({"name": "majority", "options": {"n": 2}}, "majority"),
        ({"name": "weighted-best-of-n", "options": {"n": 2}}, "weighted"),
        ({"name": "best-of-n", "options": {"n": 2}}, "best"),
        ({"name": "mcts", "options": {"n": 2, "answer_by": "visits"}}, "best"),
        ({"name": "particle-filtering", "options": {"n": 2, "answer_by": "majority"}}, "majority"),
        (None, "best"),
    ],
)
def test_answers_are_chosen_again_as_the_strategy_chose_them(
    tmp_path: Path, strategy: dict[str, object] | None, rule: str
) -> None:
    assert search_in(search_run(tmp_path / "run", "4", strategy=strategy)).rule == rule


def test_a_run_of_an_older_prmkit_or_none_at_all_was_judged_by_the_defaults(tmp_path: Path) -> None:
    run = search_run(tmp_path / "run", "4")
    assert search_in(run).grading == DEFAULT
    (run / "run.yaml").unlink()
    assert (search_in(run).name, search_in(run).grading, search_in(run).strategy) == ("run", DEFAULT, None)


def test_strategies_side_by_side_are_read_one_by_one_and_never_taken_for_one(tmp_path: Path) -> None:
    for name in ("b", "a"):
        search_run(tmp_path / "run" / name, "4")
    assert [each.name for each in searches_in(tmp_path / "run")] == ["a", "b"]
    with pytest.raises(InputError, match=r"several strategies side by side; expected one of them: .*run/a, .*run/b"):
        search_in(tmp_path / "run")
    for missing in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(InputError, match="no search run here"):
            searches_in(missing)


def test_trees_of_another_stage_beside_searches_are_no_search(tmp_path: Path) -> None:
    search_run(tmp_path / "run" / "a", "4")
    search_run(tmp_path / "run" / "labels", "4", stage="annotate")
    assert [each.name for each in searches_in(tmp_path / "run")] == ["a"]


def test_a_problem_that_stands_twice_is_refused(tmp_path: Path) -> None:
    run = search_run(tmp_path / "run", "4")
    trees = run / "trees.jsonl"
    trees.write_bytes(2 * trees.read_bytes())
    with pytest.raises(InputError, match=r"trees\.jsonl: a problem stands twice, got 'run'"):
        search_in(run)


def test_searches_of_other_problems_or_under_another_judge_are_not_put_side_by_side(tmp_path: Path) -> None:
    qwen = GradingConfig(grader="qwen")
    one = search_in(search_run(tmp_path / "one" / "p", "4"))
    other = search_in(search_run(tmp_path / "other" / "q", "4"))
    same = search_in(search_run(tmp_path / "same" / "p", "5"))
    refuse_searches([one, same], [qwen, qwen])
    with pytest.raises(InputError, match=r"other/q: the searches are of different problems; expected those of .*one/p"):
        refuse_searches([one, other], [DEFAULT, DEFAULT])
    with pytest.raises(InputError, match=r"same/p: the runs were judged differently, .*qwen.*; expected .*math-verify"):
        refuse_searches([one, same], [DEFAULT, qwen])


def test_all_are_judged_and_handed_back_search_by_search(tmp_path: Path) -> None:
    for name, answers in (("a", ("4", "5")), ("b", ("6",))):
        search_run(tmp_path / "run" / name, *answers)
    told: list[int] = []
    searches, file = searches_in(tmp_path / "run"), tmp_path / "judged.jsonl"
    found = {
        search.name: [each.right for solutions in judged for each in solutions.solutions]
        for search, judged in judged_searches(searches, DEFAULT, file, told.append)
    }
    assert found == {"a": [True, False], "b": [False]}
    assert (sum(told), file.exists()) == (2, False)


def test_a_recipe_that_says_nonsense_is_named(tmp_path: Path) -> None:
    run = search_run(tmp_path / "run", "4", grading={"grader": "qwenn"})
    with pytest.raises(InputError, match=r"run\.yaml: grading: grader: input should be .*, got 'qwenn'"):
        search_in(run)


def test_trees_of_two_aggregations_are_no_search() -> None:
    trees = [StepTree(Problem(id="p", prompt="?"), meta={"aggregation": how}) for how in ("last", "min")]
    assert aggregation_of(trees[:1]) == "last"
    with pytest.raises(InputError, match="searches with different aggregations"):
        aggregation_of(trees)
