from pathlib import Path

import pytest

from prmkit.errors import InputError
from prmkit.similarity.response import Response, read_responses, responses_of
from prmkit.tree import ROOT, Problem, StepTree
from tests.tiny import tiny_encoder


def searched(chosen: int | None) -> StepTree:
    tree = StepTree(Problem(id="p", prompt="1 + 1"))
    tree.add(ROOT, "2", finish="eos")
    tree.add(ROOT, "3", finish="length")
    tree.add(ROOT, "4", finish="eos")
    if chosen is not None:
        tree.meta["chosen"] = str(chosen)
    return tree


def test_a_response_is_the_problem_and_its_steps_in_the_ids_of_the_encoder() -> None:
    encoder = tiny_encoder()
    first, last = responses_of([searched(2)], encoder, "finished")
    assert first.text == "2"
    ids, ends = encoder.path_ids(Problem(id="p", prompt="1 + 1"), ["2"])
    # Without the end of the last step: what a model says after it tells how responses end, not what they hold.
    assert (list(first.ids), first.ends) == (ids[:-1], ())
    whole, _ = responses_of([searched(2)], encoder, "finished", last_end=True)
    assert (list(whole.ids), list(whole.ends)) == (ids, ends)
    assert first.prompt_length == len(encoder.problem_ids(Problem(id="p", prompt="1 + 1")))
    assert last.text == "4"


def test_the_chosen_solution_alone_and_nothing_where_none_was_finished() -> None:
    assert [one.text for one in responses_of([searched(2)], tiny_encoder(), "chosen")] == ["4"]
    assert list(responses_of([searched(ROOT)], tiny_encoder(), "chosen")) == []


def test_so_many_of_each_problem() -> None:
    found = responses_of([searched(0), searched(2)], tiny_encoder(), "finished", per_problem=1)
    assert [one.text for one in found] == ["2", "2"]


def test_trees_that_no_search_made_have_no_choice() -> None:
    with pytest.raises(InputError, match="p: no solution was chosen"):
        list(responses_of([searched(None)], tiny_encoder(), "chosen"))


@pytest.mark.parametrize(("ids", "prompt", "message"), [((1, 2), 0, "empty prompt"), ((1, 2), 2, "empty response")])
def test_a_response_has_a_prompt_and_a_text(ids: tuple[int, ...], prompt: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Response(problem_id="p", ids=ids, prompt_length=prompt, text="")


def test_verdicts_of_an_evaluation_are_by_leaf() -> None:
    verdicts = {"p": [True, False, False]}
    found = responses_of([searched(2)], tiny_encoder(), "finished", verdicts=verdicts)
    assert [(one.text, one.correct) for one in found] == [("2", True), ("4", False)]
    assert [one.correct for one in responses_of([searched(2)], tiny_encoder(), "chosen")] == [None]


def test_responses_of_a_file_are_texts_or_lists_of_steps(tmp_path: Path) -> None:
    path = tmp_path / "math.jsonl"
    path.write_text(
        '{"prompt": "1 + 1", "response": "a = 2"}\n'
        '{"prompt": "1 + 1", "response": ["a = 2", "2"], "problem_id": "q", "correct": true}\n'
    )
    encoder = tiny_encoder()
    one, two = read_responses(path, encoder)
    assert (one.problem_id, one.correct, one.text) == ("1 + 1", None, "a = 2")
    assert (two.problem_id, two.correct, two.text) == ("q", True, "a = 2\n2")
    assert list(two.ids) == encoder.path_ids(Problem(id="q", prompt="1 + 1"), ["a = 2", "2"])[0][:-1]
    assert len(two.ends) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"prompt": "p"}\n', r"math.jsonl:1: not a response"),
        ('{"prompt": "p", "response": "a"}\n{"prompt": "p", "response": []}\n', r"math.jsonl:2: not a response"),
        ('{"prompt": "p", "response": "  "}\n', r"math.jsonl:1: not a response"),
        ('{"prompt": "p", "response": "a", "correct": "yes"}\n', r"math.jsonl:1: not a response"),
        ('{"prompt": "p", "resp\n', r"math.jsonl:1: not JSON"),
        ("", r"math.jsonl: the file holds no"),
    ],
)
def test_a_bad_row_is_named(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "math.jsonl"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_responses(path, tiny_encoder())
