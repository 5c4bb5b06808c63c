import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from prmkit.annotate import bind
from prmkit.annotate.passes import PassJournal, run_pass
from prmkit.errors import RunError
from prmkit.generate.meter import Meter
from prmkit.session import Engines, Session, concurrent
from prmkit.session.ledger import Ledger
from prmkit.tree import ROOT, Problem, StepTree
from prmkit.trees_io import read_trees
from tests.annotate.worlds import add_path, policy, values
from tests.fakes import NarrowPolicy, ScriptedGenerator, make_session


def problems(n: int) -> list[StepTree]:
    return [StepTree(Problem(id=str(number), prompt=f"{number}?", answer="4")) for number in range(n)]


async def solve(session: Session) -> None:
    """Later problems are done first."""
    await asyncio.sleep(0.01 / (1 + int(session.tree.problem.id)))
    await session.complete(ROOT, 2)


def engines(generator: ScriptedGenerator, journal: Path | None = None) -> Callable[[], Engines]:
    return lambda: make_session(generator, journal=PassJournal(journal, "pass"))._engines


def test_trees_are_written_in_their_order_whichever_is_done_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("prmkit.annotate.passes.WINDOW", 3)
    out = tmp_path / "passes" / "a.jsonl"
    done: list[int] = []
    ledger = run_pass(problems(7), engines(policy()), solve, out, done=lambda count, figures: done.append(count))
    trees = list(read_trees(out))
    assert [tree.problem.id for tree in trees] == [str(number) for number in range(7)]
    assert all(len(tree) == 2 for tree in trees)
    assert (sum(done), ledger.continuations) == (7, 14)


def test_a_finished_pass_asks_nothing_and_tells_its_cost(tmp_path: Path) -> None:
    def never() -> Engines:
        raise AssertionError("no model is needed")

    out = tmp_path / "a.jsonl"
    first = run_pass(problems(3), engines(policy()), solve, out)
    assert run_pass(problems(3), never, solve, out) == first


def test_a_killed_pass_goes_on_without_paying_twice(tmp_path: Path) -> None:
    out, whole, journal = tmp_path / "a.jsonl", tmp_path / "whole.jsonl", tmp_path / "journal.jsonl"
    run_pass(problems(6), engines(policy()), solve, whole)
    first = policy()

    async def dies_at_four(session: Session) -> None:
        if session.tree.problem.id == "4":
            await asyncio.sleep(0.05)
            raise RunError("killed")
        await solve(session)

    with pytest.raises(RunError, match="killed"):
        run_pass(problems(6), engines(first, journal), dies_at_four, out)
    assert not out.exists()
    with (tmp_path / "a.jsonl.partial").open("ab") as file:
        file.write(b'{"torn')
    second = policy()
    ledger = run_pass(problems(6), engines(second, journal), solve, out)
    asked = [prompt for generator in (first, second) for prompt, _ in generator.requests]
    assert sorted(asked) == [f"{number}?\n" for number in range(6)]
    assert list(read_trees(out)) == list(read_trees(whole))
    assert ledger.continuations == 12


def test_trees_are_read_only_as_there_is_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("prmkit.annotate.passes.WINDOW", 4)
    under_way = most = 0

    async def count(session: Session) -> None:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await solve(session)
        under_way -= 1

    run_pass(problems(20), engines(policy()), count, tmp_path / "a.jsonl")
    assert most == 4


def test_passes_of_one_journal_do_not_answer_each_other(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    reply = {"written": [], "seconds": 0.0}
    PassJournal(path, "a").put("k", reply)
    assert PassJournal(path, "b").get("k") is None
    found = PassJournal(path, "a").get("k")
    assert found is not None
    assert reply.items() <= found.items()


def test_no_tree_is_an_empty_file(tmp_path: Path) -> None:
    assert run_pass([], engines(policy()), solve, tmp_path / "a.jsonl") == Ledger()
    assert (tmp_path / "a.jsonl").read_bytes() == b""


def test_who_watches_is_told_of_the_speed_while_no_tree_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrent, "_SECONDS_BETWEEN_TICKS", 0.001)
    told: list[tuple[int, Mapping[str, str]]] = []
    generator = policy()
    generator.meter = Meter()  # type: ignore[attr-defined]

    async def slow(session: Session) -> None:
        generator.meter.add(drawn=1_000_000)  # type: ignore[attr-defined]
        while not any(figures for _, figures in told):
            await asyncio.sleep(0.001)
        await solve(session)

    run_pass(problems(2), engines(generator), slow, tmp_path / "a.jsonl", done=lambda *one: told.append(one))
    count, figures = next(one for one in told if one[1])
    assert count == 0
    assert figures.keys() == {"policy"}
    assert figures["policy"].endswith(" tok/s")
    assert figures["policy"] != "0 tok/s"
    assert sum(count for count, _ in told) == 2


def test_a_pass_that_goes_on_counts_what_was_written(tmp_path: Path) -> None:
    out, told = tmp_path / "a.jsonl", []
    run_pass(problems(3), engines(policy()), solve, out)
    run_pass(problems(3), engines(policy()), solve, out, done=lambda *one: told.append(one))
    assert told == [(1, {})] * 3


ESTIMATES: dict[str, dict[str, int]] = {
    "monte-carlo": {"rollouts": 2},
    "binary-search": {"rollouts": 2},
    "omega": {"rollouts": 4},
}


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("name", ESTIMATES)
def test_a_problem_that_fills_the_context_is_left_and_the_others_are_labelled(
    tmp_path: Path, name: str, told: bool
) -> None:
    """One problem is too long, one is not, and of one the second step leaves no room for a third."""

    def trees() -> list[StepTree]:
        long, short, full = (
            StepTree(Problem(id=id, prompt=prompt, answer="4"))
            for id, prompt in (("long", "?" * 40), ("short", "?"), ("full", "?"))
        )
        if name != "omega":  # which learns nothing from problems whose rollouts are all wrong, and draws its own
            add_path(long, "go", "5")
            add_path(short, "go", "5")
            add_path(full, "go", "on" * 18, "and on", "5")
        return [long, short, full]

    def run(policy: NarrowPolicy) -> tuple[list[StepTree], Ledger]:
        def loaded() -> Engines:
            return replace(make_session(policy)._engines, journal=PassJournal(tmp_path / "journal", "pass"))

        ledger = run_pass(trees(), loaded, bind(name, ESTIMATES[name]), tmp_path / "out.jsonl")
        return list(read_trees(tmp_path / "out.jsonl")), ledger

    found, ledger = run(NarrowPolicy(40, lambda prompt: "4", told=told))
    assert ledger.too_long == 1
    assert [tree.problem.id for tree in found] == ["long", "short", "full"]
    assert not any(values(found[0]))
    if name != "omega":
        assert values(found[1]) == [1.0, 0.0]
        assert values(found[2])[:2] == [1.0, 0.0]
    # Killed before its end, it goes on and asks nothing again.
    (tmp_path / "out.jsonl").unlink()
    again = NarrowPolicy(40, lambda prompt: "4", told=told)
    assert run(again)[0] == found
    assert again.requests == []


def test_omega_searches_a_rollout_that_fills_the_context() -> None:
    """The policy writes as far as its context goes from every step, so that the search meets full states."""
    tree = StepTree(Problem(id="p", prompt="?", answer="4"))
    add_path(tree, "4")
    add_path(tree, "go", "on" * 18, "and on", "5")
    session = make_session(NarrowPolicy(40, lambda prompt: "5"), tree=tree)
    asyncio.run(bind("omega", {"rollouts": 2})(session))
    assert list(values(tree)) == [1.0, 0.0, 0.0, None, 0.0]
