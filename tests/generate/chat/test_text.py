from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prmkit.errors import InputError
from prmkit.generate.chat.text import (
    ChatContext,
    ChatContinuation,
    ChatPrompt,
    ChatSide,
    ChatText,
    Part,
    Turn,
    chat_tags,
    estimated_tokens,
)
from prmkit.generate.format import PolicyFormat
from prmkit.generate.thoughts import Tags
from prmkit.tree import Finish, Node, Problem

PROBLEM = Problem(id="p", prompt="two?")
THINK = Tags("<think>", "</think>")
BY_TEXT, BY_IDS = ChatSide(THINK), ChatSide(THINK, "</><assistant>", "v", ("<|im_end|>",))


def text(side: ChatSide = BY_TEXT, **format: Any) -> ChatText:
    short = {"steps": {"name": "thoughts", "options": {"length": 1}}}
    return ChatText(PolicyFormat.model_validate({"step_end": "\n", "thoughts": short} | format), side)


def wrote(said: str, finish: Finish = "eos") -> ChatContinuation:
    """As a server of texts answers it."""
    return ChatContinuation(pieces=(said,), finish=finish, written=7)


def by_ids(*pieces: str, finish: Finish = "eos") -> ChatContinuation:
    ids = tuple(range(100, 100 + len(pieces)))
    return ChatContinuation(ids=ids, exact=True, pieces=pieces, finish=finish, written=len(ids))


def seen(context: ChatContext) -> tuple[str, bool, str]:
    return context.prompt.answer, context.thinking, context.carried


def test_a_problem_is_the_users_turn_behind_the_system_turn() -> None:
    assert text().begin(PROBLEM).prompt == ChatPrompt((Turn("user", "two?"),))
    assert text(system="Be brief.").begin(PROBLEM).prompt.turns == (Turn("system", "Be brief."), Turn("user", "two?"))
    assert not text().begin(PROBLEM).thinking
    assert text(ChatSide(THINK, "<assistant><think>\n", "v")).begin(PROBLEM).thinking


def test_tokens_are_estimated_by_bytes_and_counted_where_ids_are_known() -> None:
    assert [estimated_tokens(each) for each in ("", "a", "abc", "abcd", "数学", "\ud800")] == [0, 1, 1, 2, 2, 1]
    begun = text(BY_IDS).begin(PROBLEM)
    assert begun.tokens == 2  # four bytes
    after = text(BY_IDS).after(begun, Node(parent=-1, text="abcdef", ids=[1, 2], raw="abcdef\n"), {"tokenizer": "v"})
    assert after.tokens == 4
    assert text(BY_IDS).after(begun, Node(parent=-1, text="abcdef"), {}).tokens == 2 + 3


def test_only_a_policy_whose_ids_are_known_names_a_vocabulary() -> None:
    assert text().meta == {"step_end": "\n"}
    assert text(BY_IDS).meta == {"step_end": "\n", "tokenizer": "v"}


def test_a_step_of_a_number_of_tokens_needs_ids() -> None:
    steps = {"name": "tokens", "options": {"length": 2}}
    with pytest.raises(InputError, match=r"format\.steps: a step of a number of tokens needs token ids"):
        text(steps=steps)
    speaks = text(BY_IDS, steps=steps)
    found, _ = speaks.steps(speaks.begin(PROBLEM), by_ids("a", "b", "c"))
    assert [(step.text, list(step.ids or ())) for step in found] == [("ab", [100, 101]), ("c", [102])]


def test_a_text_falls_into_steps_as_it_would_have_been_drawn_and_is_kept_byte_for_byte() -> None:
    speaks = text()
    found, behind = speaks.steps(speaks.begin(PROBLEM), wrote(" We add.\n\nIt is 4. \n"))
    assert [(step.text, step.raw, step.ids) for step in found] == [
        ("We add.", " We add.\n", None),
        ("It is 4.", "\nIt is 4. \n", None),
    ]
    assert seen(behind) == (" We add.\n\nIt is 4. \n", False, "")


def test_with_ids_a_step_ends_with_the_token_that_completed_it() -> None:
    speaks = text(BY_IDS)
    found, behind = speaks.steps(speaks.begin(PROBLEM), by_ids("We", " add", ".\nIt", " is 4", ".", "<|im_end|>"))
    assert [(step.text, step.raw, list(step.ids or ())) for step in found] == [
        ("We add.", "We add.\nIt", [100, 101, 102]),
        ("It is 4.", " is 4.<|im_end|>", [103, 104, 105]),
    ]
    assert [(part.text, list(part.ids or ())) for part in behind.prompt.parts] == [
        ("We add.\nIt", [100, 101, 102]),
        (" is 4.<|im_end|>", [103, 104, 105]),
    ]
    assert behind.tokens == 2 + 6


def test_what_ends_in_nothing_but_its_step_end_needs_no_raw_text() -> None:
    speaks = text(BY_IDS)
    found, _ = speaks.steps(speaks.begin(PROBLEM), by_ids("We", " add.\n", "4"))
    assert [(step.text, step.raw) for step in found] == [("We add.", None), ("4", "4")]


def test_ids_that_nobody_spelled_go_to_a_step_that_is_all_there_is_and_to_none_of_several() -> None:
    speaks = text(BY_IDS)

    def unspelled(said: str, finish: Finish) -> list[Any]:
        one = ChatContinuation(ids=(7, 8), exact=True, pieces=(said,), finish=finish, written=2)
        return [step.ids for step in speaks.steps(speaks.begin(PROBLEM), one)[0]]

    assert unspelled("We add.\n", "stop") == [(7, 8)]
    assert unspelled("We add.\nIt is 4.", "eos") == [None, None]


def test_thoughts_are_steps_of_their_own_and_no_part_of_the_answer() -> None:
    speaks = text()
    said = wrote("<think>2 and 2.\n\nFour.</think>\n\nIt is 4.")
    found, behind = speaks.steps(speaks.begin(PROBLEM), said)
    assert [(step.text, step.thought) for step in found] == [("2 and 2.", True), ("Four.", True), ("It is 4.", False)]
    assert not behind.thinking
    assert speaks.answer(speaks.begin(PROBLEM), said) == "\n\nIt is 4."
    assert speaks.pieces(speaks.begin(PROBLEM), said) == (said.text,)


def test_a_thought_that_is_not_over_is_no_answer() -> None:
    speaks = text()
    open_ended = wrote("<think>2 and 2", "length")
    assert speaks.answer(speaks.begin(PROBLEM), open_ended) == ""
    assert speaks.steps(speaks.begin(PROBLEM), open_ended)[1].thinking


def test_a_thought_that_the_servers_template_opened_is_one() -> None:
    speaks = text()
    said = wrote("2 and 2.</think>It is 4.")
    found, _ = speaks.steps(speaks.begin(PROBLEM), said)
    assert [(step.text, step.thought, step.raw) for step in found] == [
        ("2 and 2.", True, "<think>2 and 2.</think>"),
        ("It is 4.", False, "It is 4."),
    ]
    assert speaks.answer(speaks.begin(PROBLEM), said) == "It is 4."
    # By ids the end of the template is known, and nothing has to be guessed.
    exact = text(ChatSide(THINK, "<assistant><think>\n", "v"))
    found, _ = exact.steps(exact.begin(PROBLEM), by_ids("2 and 2.", "</think>", "It is 4."))
    assert [(step.text, step.thought) for step in found] == [("2 and 2.", True), ("It is 4.", False)]


def test_steps_go_back_as_they_were_written() -> None:
    for speaks, said in (
        (text(), wrote("<think>Two.</think>\n We add.\nIt")),
        (text(BY_IDS), by_ids("We ", "add.\nIt")),
    ):
        before = speaks.begin(PROBLEM)
        found, behind = speaks.steps(before, said)
        context = before
        for step in found:
            node = Node(parent=-1, text=step.text, thought=step.thought, raw=step.raw, ids=step.ids)
            context = speaks.after(context, node, speaks.meta)
        assert context.prompt == behind.prompt
        assert seen(context) == seen(behind)


def test_ids_of_another_vocabulary_go_back_as_text() -> None:
    node = Node(parent=-1, text="We add.", ids=[1, 2])
    for speaks, meta in ((text(BY_IDS), {"tokenizer": "w"}), (text(), {"tokenizer": "v"}), (text(), {})):
        context = speaks.after(speaks.begin(PROBLEM), node, meta)
        assert context.prompt.parts == (Part("We add.\n"),)
    context = text(BY_IDS).after(text(BY_IDS).begin(PROBLEM), node, {"tokenizer": "v", "step_end": "\n\n"})
    assert context.prompt.parts == (Part("We add.\n\n", [1, 2]),)


def test_steps_that_nobody_tagged_get_the_tags_of_their_thought() -> None:
    speaks = text()
    context = speaks.begin(PROBLEM)
    for node in (Node(parent=-1, text="Two.", thought=True), Node(parent=0, text="It is 4.")):
        context = speaks.after(context, node, {})
    assert seen(context) == ("<think>\nTwo.\n</think>\nIt is 4.\n", False, "")


def test_what_ends_a_step_knows_what_was_carried_over_and_whether_it_thinks() -> None:
    speaks = text()
    context = speaks.after(
        speaks.begin(PROBLEM), Node(parent=-1, text="Two.", raw="<think>Two.\n\nSo", thought=True), {}
    )
    assert seen(context) == ("<think>Two.\n\nSo", True, "So")
    stop = speaks.stop(context)
    assert (stop.cut(" four.\n"), stop.cut(" four.</think>"), stop.carried) == (None, 14, "So")


def test_the_tags_of_a_chat_are_those_of_the_recipe_and_else_what_most_models_write() -> None:
    def tags(**thoughts: Any) -> Tags | None:
        return chat_tags(PolicyFormat.model_validate({"thoughts": thoughts}))

    assert tags() == THINK
    assert tags(family="magistral") == Tags("[THINK]", "[/THINK]")
    assert tags(open="<a>", close="</a>") == Tags("<a>", "</a>")
    assert tags(family="none") is None


@given(st.lists(st.sampled_from(["a", " ", "\n", "<think>", "</think>"])).map("".join) | st.text(max_size=30))
def test_nothing_of_a_text_is_lost(said: str) -> None:
    """The parts of the context are the text; only an opening that a closing lacks is added."""
    speaks = text()
    _, behind = speaks.steps(speaks.begin(PROBLEM), wrote(said))
    assert behind.prompt.answer in (said, "<think>" + said)


def test_without_a_step_end_a_blank_line_parts_steps_and_what_is_read_is_shown_as_turns() -> None:
    speaks = ChatText(PolicyFormat(system="Be brief."), BY_TEXT)
    assert speaks.meta == {"step_end": "\n\n"}
    assert speaks.begin(PROBLEM).text == "system: Be brief.\n\nuser: two?"
