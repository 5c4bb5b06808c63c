import asyncio
from pathlib import Path

import pytest

from prmkit.annotate.side_trees import ask, roll_out
from prmkit.session import Session
from prmkit.session.journal import Journal
from prmkit.tree import ROOT, Finish
from tests.annotate.worlds import path
from tests.fakes import ScriptedGenerator, make_session


def numbered(prompt: str, sample: int) -> tuple[str, Finish]:
    return f"x{sample}\n4", "eos"


def session(generator: ScriptedGenerator, *, journal: Journal | None = None, seed: int = 0) -> Session:
    return make_session(generator, tree=path("a", "b", finish="stop"), journal=journal, seed=seed)


def test_rollouts_stand_in_a_tree_of_their_own() -> None:
    generator = ScriptedGenerator(numbered)
    own = session(generator)
    before = list(own.tree)
    beside, leaves = asyncio.run(roll_out(own, 1, 3))
    assert list(own.tree) == before
    assert [beside.tree.steps(leaf) for leaf in leaves] == [["a", "b", f"x{n}", "4"] for n in range(3)]
    assert all(beside.tree.finished(leaf) for leaf in leaves)
    assert beside.tree.problem == own.tree.problem
    assert generator.requests == [("?\na\nb\n", 3)]


def test_without_a_step_rollouts_begin_with_the_problem() -> None:
    generator = ScriptedGenerator(numbered)
    beside, leaves = asyncio.run(roll_out(session(generator), ROOT, 2))
    assert [beside.tree.steps(leaf) for leaf in leaves] == [["x0", "4"], ["x1", "4"]]
    assert [beside.tree.nodes[node].parent for node in (0, 2)] == [ROOT, ROOT]
    assert generator.requests == [("?\n", 2)]


def test_what_is_done_beside_a_tree_is_counted_with_it() -> None:
    own = session(ScriptedGenerator(numbered))

    async def both() -> None:
        await roll_out(own, 0, 3)
        await ask(own, "why?", 2, attempt=0)

    asyncio.run(both())
    # Two requests, five samples of 4 characters, and prompts of "?\na\n" and "why?\n".
    assert (own.ledger.generator_calls, own.ledger.continuations) == (2, 5)
    assert (own.ledger.decode_tokens, own.ledger.prefill_tokens) == (20, 4 + 5)


def test_a_question_is_answered_in_place_of_the_problem() -> None:
    generator = ScriptedGenerator(numbered)
    own = session(generator)
    before = list(own.tree)
    assert asyncio.run(ask(own, "Is step 2 right?", 2, attempt=0)) == ["x0\n4", "x1\n4"]
    assert generator.requests == [("Is step 2 right?\n", 2)]
    assert list(own.tree) == before


def test_an_answer_without_a_word_is_an_empty_text() -> None:
    assert asyncio.run(ask(session(ScriptedGenerator(lambda prompt, n: ("", "eos"))), "why?", 2, attempt=0)) == ["", ""]


def test_a_question_may_hold_what_no_file_can() -> None:
    """Half a character, as a model writes it."""
    generator = ScriptedGenerator(numbered)
    assert asyncio.run(ask(session(generator), "why \udcff?", 1, attempt=0)) == ["x0\n4"]
    assert generator.requests == [("why \udcff?\n", 1)]


class Seeds(ScriptedGenerator):
    """Remembers the seed of each request."""

    def __init__(self) -> None:
        super().__init__(numbered)
        self.seeds: list[int] = []

    async def generate(self, *args: object, seed: int, **options: object) -> object:  # type: ignore[override]
        self.seeds.append(seed)
        return await super().generate(*args, seed=seed, **options)  # type: ignore[arg-type]


def test_another_attempt_or_another_text_draws_anew_and_the_same_one_does_not() -> None:
    generator = Seeds()
    own = session(generator)

    async def questions() -> None:
        for text, attempt in (("why?", 0), ("why?", 1), ("what?", 0), ("why?", 0)):
            await ask(own, text, 1, attempt=attempt)

    asyncio.run(questions())
    first, second, third, again = generator.seeds
    assert len({first, second, third}) == 3
    assert again == first


@pytest.mark.parametrize("attempt", [0, 1])
def test_a_run_that_goes_on_pays_for_no_answer_twice(tmp_path: Path, attempt: int) -> None:
    async def all_of(own: Session) -> list[object]:
        beside, leaves = await roll_out(own, 0, 2)
        return [[beside.tree.steps(leaf) for leaf in leaves], await ask(own, "why?", 2, attempt=attempt)]

    first, second = ScriptedGenerator(numbered), ScriptedGenerator(lambda prompt, n: ("other", "eos"))
    once = session(first, journal=Journal(tmp_path / "journal.jsonl"))
    found = asyncio.run(all_of(once))
    again = session(second, journal=Journal(tmp_path / "journal.jsonl"))
    assert asyncio.run(all_of(again)) == found
    assert (len(first.requests), len(second.requests)) == (2, 0)
    assert (again.ledger.replayed, again.ledger.decode_tokens) == (2, once.ledger.decode_tokens)
