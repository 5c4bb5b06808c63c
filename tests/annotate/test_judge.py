import asyncio
from pathlib import Path

import pytest

from prmkit.annotate.judge import JudgeConfig, judge, prompt_of, read_template, verdict_of
from prmkit.errors import InputError
from prmkit.tree import Domain, StepTree
from tests.annotate.worlds import add_path, path, session_on, values
from tests.fakes import NarrowPolicy, ScriptedGenerator


def judged(tree: StepTree, *replies: str, **options: object) -> ScriptedGenerator:
    """The judge answers the n-th request (and sample) with the n-th reply, the last one again and again."""
    left = list(replies)

    def script(prompt: str, sample: int) -> tuple[str, str]:
        return (left.pop(0) if len(left) > 1 else left[0]), "eos"

    generator = ScriptedGenerator(script)  # type: ignore[arg-type]
    asyncio.run(judge(session_on(tree, generator), JudgeConfig(**options)))  # type: ignore[arg-type]
    return generator


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        ("Step 1 is right.\nStep 2 is not.\nFirst wrong step: 2", 1),
        ("All is well.\nFirst wrong step: none", -1),
        ("**First wrong step: 3**", 2),
        ("first wrong step: None.", -1),
        ("First wrong step: 2\nFirst wrong step: 2", 1),
        ("First wrong step: 2\nFirst wrong step: none", None),
        ("First wrong step: 0", None),
        ("First wrong step: 4", None),
        ("The first wrong step: 2 is bad.", None),
        ("First wrong step: 1 or 2", None),
        ("It is step 2.", None),
        ("", None),
    ],
)
def test_a_verdict_is_one_clear_line(reply: str, verdict: int | None) -> None:
    assert verdict_of(reply, 3) == verdict


def test_steps_are_right_before_the_named_one_and_unknown_after_it() -> None:
    tree = path("a", "b", "c")
    generator = judged(tree, "First wrong step: 2")
    assert values(tree) == [1.0, 0.0, None]
    assert tree.nodes[0].label is not None
    assert tree.nodes[0].label.source == "judge"
    (prompt, n), *others = generator.requests
    assert (n, others) == (1, [])
    assert "[Problem]\n?\n" in prompt
    assert "[Step 1]\na\n[Step 2]\nb\n[Step 3]\nc\n" in prompt


def test_a_reply_without_a_verdict_is_asked_again_and_then_given_up() -> None:
    tree = path("a", "b")
    generator = judged(tree, "Hm.", "First wrong step: none", attempts=2)
    assert (len(generator.requests), values(tree)) == (2, [1.0, 1.0])
    tree = path("a", "b")
    generator = judged(tree, "Hm.", attempts=2)
    assert (len(generator.requests), values(tree)) == (2, [None, None])


def test_of_several_critiques_the_most_frequent_verdict_counts() -> None:
    tree = path("a", "b")
    judged(tree, "First wrong step: 1", "First wrong step: 2", "First wrong step: 2", votes=3)
    assert values(tree) == [1.0, 0.0]
    tie = path("a", "b")
    judged(tie, "First wrong step: none", "First wrong step: 2", votes=2)
    assert values(tie) == [1.0, 0.0]


def test_only_the_missing_critiques_are_asked_again() -> None:
    generator = judged(path("a"), "Hm.", "First wrong step: 1", "First wrong step: 1", votes=2)
    assert [n for _, n in generator.requests] == [2, 1]


def test_a_shared_step_is_right_if_half_of_the_verdicts_say_so() -> None:
    tree = path("a", "b")
    add_path(tree, "c", parent=0)
    judged(tree, "First wrong step: 1", "First wrong step: none")
    assert values(tree) == [1.0, None, 1.0]


@pytest.mark.parametrize("domain", ["math", "code"])
def test_the_templates_that_come_with_prmkit_are_whole(domain: Domain) -> None:
    text = prompt_of(read_template(None, domain), "1 + {steps} {problem}?", ["{problem}"])
    assert "[Problem]\n1 + {steps} {problem}?\n" in text
    assert "[Step 1]\n{problem}\n" in text
    assert text.count("First wrong step:") == 1


def test_a_template_without_its_placeholders_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text("Judge {problem}.")
    with pytest.raises(InputError, match=r"t\.txt: the judge's template lacks a placeholder; expected \{steps\}"):
        read_template(str(tmp_path / "t.txt"), "math")
    with pytest.raises(InputError, match="cannot read the judge's template"):
        read_template(str(tmp_path / "gone.txt"), "math")


def test_a_solution_that_the_judge_has_no_room_to_read_stays_unlabelled_and_is_counted() -> None:
    tree = path("a")
    add_path(tree, "b" * 2000)
    session = session_on(tree, NarrowPolicy(2000, lambda prompt: "First wrong step: none"))
    asyncio.run(judge(session, JudgeConfig()))
    assert values(tree) == [1.0, None]
    assert session.ledger.too_long == 1
