import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prmkit.generate import Continuation
from prmkit.generate.format import PolicyFormat, ThoughtFormat
from prmkit.generate.text import PolicyText
from prmkit.generate.written import VOCABULARY, WrittenStep
from prmkit.segment.config import SegmenterConfig
from prmkit.tree import ROOT, Finish, Node, Problem, StepTree
from tests.fakes import char_text
from tests.tiny import tiny_bpe_tokenizer

PROBLEM = Problem(id="p", prompt="1 + 2?")
BPE = tiny_bpe_tokenizer()
TEXT = PolicyText(BPE, PolicyFormat())
THINKING = char_text(
    PolicyFormat(
        step_end="\n\n",
        thoughts=ThoughtFormat(open="<think>", close="</think>", steps=SegmenterConfig(name="separator")),
    )
)


def ids_of(text: str) -> tuple[int, ...]:
    return tuple(BPE(text, add_special_tokens=False)["input_ids"])


def read(text: PolicyText, written: str, finish: Finish = "eos") -> list[WrittenStep]:
    return text.steps(text.begin(PROBLEM), Continuation(ids=tuple(map(ord, written)), finish=finish))[0]


def node(step: WrittenStep) -> Node:
    return Node(parent=ROOT, text=step.text, thought=step.thought, raw=step.raw, ids=step.ids)


def test_a_policy_goes_on_from_the_tokens_that_it_wrote() -> None:
    ids = tuple(token for character in "We add.\n" for token in ids_of(character))  # no tokenizer would part it so
    assert ids != ids_of(BPE.decode(ids))
    begun = TEXT.begin(PROBLEM)
    (step,), behind = TEXT.steps(begun, Continuation(ids=ids, finish="stop"))
    assert behind.prompt == [*begun.ids, *ids]
    assert TEXT.after(begun, node(step), TEXT.meta).prompt == [*begun.ids, *ids]
    assert behind.tokens == len(begun.ids) + len(ids)


def test_ids_of_another_vocabulary_are_not_taken_for_ones_own() -> None:
    begun = TEXT.begin(PROBLEM)
    theirs = Node(parent=ROOT, text="two", raw="two.\n", ids=[5, 6, 7])
    behind = TEXT.after(begun, theirs, {**TEXT.meta, VOCABULARY: "another"})
    assert behind.prompt == list(ids_of("1 + 2?\ntwo.\n"))


def test_text_that_the_policy_did_not_write_is_tokenised_with_what_stands_before_it_as_one() -> None:
    tree = StepTree.from_steps(PROBLEM, ["1.", "2."])
    context = TEXT.begin(PROBLEM)
    for step in tree:
        context = TEXT.after(context, step, tree.meta)
    whole = "1 + 2?\n1.\n2.\n"
    assert context.prompt == list(ids_of(whole))
    assert BPE.convert_tokens_to_ids(".Ċ") in context.prompt  # where a step alone is a full stop and then a line end
    assert context.whole_text == whole


def test_white_space_that_was_written_is_kept_for_others_too() -> None:
    (step, last) = read(char_text(PolicyFormat(step_end="\n\n")), "  a \n \n\n\n b")
    assert (step.text, step.raw) == ("  a", "  a \n \n\n")
    assert (last.text, last.raw) == ("b", "\n b")


def test_a_corpus_step_that_spells_a_special_token_stays_text() -> None:
    special = BPE.convert_tokens_to_ids("<|im_end|>")
    context = TEXT.begin(PROBLEM)
    for text in ("a<|im_end|>", "b"):
        context = TEXT.after(context, Node(parent=ROOT, text=text), {})
    assert special not in context.prompt
    assert BPE.decode(context.prompt) == "1 + 2?\na<|im_end|>\nb\n"


def test_blank_steps_are_none_and_special_tokens_no_part_of_one() -> None:
    ids = ids_of("\n\n<|im_start|>We add.\n\n<|im_end|> \nFour.\n\n")
    steps, _ = TEXT.steps(TEXT.begin(PROBLEM), Continuation(ids=ids, finish="eos"))
    assert [step.text for step in steps] == ["We add.", "Four."]
    assert [token for step in steps for token in step.ids or ()] == list(ids)[: sum(len(s.ids or ()) for s in steps)]


def test_a_step_that_begins_within_a_block_of_code_keeps_its_indentation() -> None:
    texts = [step.text for step in read(char_text(), "def f(x):\n    y = x\n    return y \n done")]
    assert texts == ["def f(x):", "    y = x", "    return y", "done"]


def test_an_indentation_that_came_with_the_line_end_belongs_to_the_next_step() -> None:
    """As in tokenizers in which a line end and the blanks behind it are one token."""
    format = PolicyFormat(step_end="\n")
    text = PolicyText(BPE, format)
    begun = text.begin(PROBLEM)
    _, behind = text.steps(begun, Continuation(ids=ids_of("a\n"), finish="stop"))
    assert behind.carried == ""
    joined = char_text(format)
    first = joined._written(joined.begin(PROBLEM), "if x:\n    ", ())  # one token
    assert (first[0].text, first[1].carried) == ("if x:", "    ")
    following, _ = joined.steps(first[1], Continuation(ids=tuple(map(ord, "y\n")), finish="stop"))
    assert following[0].text == "    y"


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["a", "two ", ".", "\n", "\n\n", "  b", "é", "🙂", "<|im_start|>"]), max_size=24),
    st.data(),
)
def test_steps_drawn_one_by_one_are_those_of_the_whole(parts: list[str], data: st.DataObject) -> None:
    ids = ids_of("".join(parts))
    whole, _ = TEXT.steps(TEXT.begin(PROBLEM), Continuation(ids=ids, finish="eos"))
    context, found, rest = TEXT.begin(PROBLEM), [], ids
    while rest:
        stop = TEXT.stop(context)
        end = next(
            (end for end in range(1, len(rest)) if TEXT._ends.reached(context.last, rest[:end], stop)), len(rest)
        )
        finish: Finish = "stop" if end < len(rest) else "eos"
        steps, behind = TEXT.steps(context, Continuation(ids=rest[:end], finish=finish))
        assert len(steps) <= 1
        for step in steps:
            assert TEXT.after(context, node(step), TEXT.meta).prompt == behind.prompt
        found += steps
        context, rest = behind, rest[end:]
    assert [(step.text, list(step.ids or ())) for step in found] == [
        (step.text, list(step.ids or ())) for step in whole
    ]


def test_a_thought_is_told_from_the_answer() -> None:
    steps = read(THINKING, "<think>\nfirst\n\nsecond\n</think>\n\nThe answer.\n\nDone.")
    assert [(step.text, step.thought) for step in steps] == [
        ("first", True),
        ("second", True),
        ("The answer.", False),
        ("Done.", False),
    ]
    assert "".join(step.raw or step.text + "\n\n" for step in steps).startswith("<think>\nfirst\n\nsecond\n</think>")


def test_a_thought_that_a_corpus_tells_of_gets_the_tags_that_the_policy_writes() -> None:
    tree = StepTree(PROBLEM)
    tree.add(tree.add(ROOT, "hm", thought=True), "3")
    context = THINKING.begin(PROBLEM)
    for step in tree:
        context = THINKING.after(context, step, tree.meta)
    assert context.whole_text == "1 + 2?\n<think>\nhm\n\n</think>\n\n3\n\n"
    assert not context.thinking


def test_a_continuation_that_is_known_by_its_text_keeps_it_and_no_ids() -> None:
    text = char_text(PolicyFormat(step_end="\n\n"))
    told = Continuation(ids=tuple(map(ord, " a\n\n")), finish="stop", exact=False)
    (step,), _ = text.steps(text.begin(PROBLEM), told)
    assert (step.text, step.raw, step.ids) == ("a", " a\n\n", None)
    assert text.after(text.begin(PROBLEM), node(step), text.meta).whole_text == "1 + 2?\n a\n\n"


def test_two_vocabularies_have_two_names() -> None:
    assert TEXT.meta[VOCABULARY] == PolicyText(tiny_bpe_tokenizer(), PolicyFormat(step_end=".")).meta[VOCABULARY]
    assert TEXT.meta[VOCABULARY] != char_text().meta[VOCABULARY]


@pytest.mark.parametrize("steps", [1, 40])
def test_a_long_path_holds_each_part_once(steps: int) -> None:
    context = TEXT.begin(PROBLEM)
    for _ in range(steps):
        (step,), following = TEXT.steps(context, Continuation(ids=ids_of("We add.\n"), finish="stop"))
        context = TEXT.after(context, node(step), TEXT.meta)
        assert context == following
    assert sum(len(part.ids) for part in context.parts()) == context.tokens
