import pytest

from prmkit.errors import InputError
from prmkit.similarity.response import Response, responses_of
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
    assert list(first.ids) == encoder.path_ids(Problem(id="p", prompt="1 + 1"), ["2"])[0]
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
