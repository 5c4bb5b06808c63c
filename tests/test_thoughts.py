import pytest

from prmkit.thoughts import answer_of


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("4", "4"),
        ("<think>\n3?\n</think>\n\n4", "\n\n4"),
        ("3?\n</think>4", "4"),  # the template had opened it
        ("<think>a</think>b<think>c</think>d", "d"),
        ("<think></think>4", "4"),
        ("[THINK]3[/THINK]4", "4"),
        ("<|channel|>analysis<|message|>3<|end|><|start|>assistant<|channel|>final<|message|>4", "4"),
        ("<think>\\boxed{3}", None),
        (" \n<think>", None),
        ("<think>a</think> <think>b", None),
        ("the tag <think> opens a thought", "the tag <think> opens a thought"),
        ("", ""),
    ],
)
def test_the_answer_stands_behind_the_thought(text: str, answer: str | None) -> None:
    assert answer_of(text) == answer
