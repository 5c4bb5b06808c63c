import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest

from prmkit.errors import InputError, RunError
from prmkit.generate import Generation, Generator, Sampling, TooLong
from prmkit.generate.stop import StepStop
from prmkit.score import Scorer, Scores
from prmkit.score.reading import ReadingScorer
from prmkit.session import Engines, Session
from prmkit.session.budget import Allowance, BudgetConfig, Exhausted
from prmkit.session.growth import Growth
from prmkit.session.journal import Journal
from prmkit.session.ledger import Ledger
from prmkit.session.requests import Requests
from prmkit.tree import ROOT, Finish, Problem, Reads, StepTree
from tests.fakes import LastStepGrader, NarrowPolicy, ScriptedGenerator, TableScorer, char_text
from tests.score.narrow import NarrowScorer, path_of
from tests.search.world import World, world_session

SCORES = {"s0": 0.5, "s1": 0.25, "4": 0.75}


def two_steps(prompt: str, sample: int) -> tuple[str, Finish]:
    return f"s{sample}\n4\n", "eos"


class Told(ScriptedGenerator):
    """Writes down all that it is told."""

    def __init__(self, script: Callable[[str, int], tuple[str, Finish]]) -> None:
        super().__init__(script)
        self.told: list[dict[str, Any]] = []

    async def generate(
        self, prompt_ids: Sequence[int], n: int, *, sampling: Sampling, seed: int, stop: StepStop | None = None
    ) -> Generation:
        self.told.append(
            {
                "ids": list(prompt_ids),
                "n": n,
                "tokens": sampling.max_tokens,
                "seed": seed,
                "stop": stop and stop.strings,
            }
        )
        return await super().generate(prompt_ids, n, sampling=sampling, seed=seed, stop=stop)


def path(*steps: str) -> StepTree:
    """Given steps of the problem "?"."""
    return StepTree.from_steps(Problem(id="p", prompt="?", answer="4"), steps)


def session_of(
    generator: Generator,
    scorer: Scorer | None = None,
    *,
    tree: StepTree | None = None,
    journal: Journal | None = None,
    seed: int = 0,
    max_tokens: int = 100,
    **limits: float,
) -> Session:
    engines = Engines(
        generator=generator,
        text=char_text(),
        sampling=Sampling(max_tokens=max_tokens),
        grader_for=lambda domain: LastStepGrader(),
        scorer=scorer,
        seed=seed,
        journal=journal or Journal(),
    )
    return Session(path() if tree is None else tree, engines, BudgetConfig.model_validate(limits))


def test_a_step_ends_at_the_step_end_and_a_solution_at_its_own() -> None:
    told = Told(lambda prompt, sample: ("a\n", "stop"))
    session = session_of(told)
    asyncio.run(session.expand(ROOT, 2))
    asyncio.run(session.complete(ROOT, 3))
    assert [(one["n"], one["stop"], one["tokens"]) for one in told.told] == [(2, ("\n",), 100), (3, None, 100)]


def test_a_prompt_is_the_path_to_its_node_and_leaves_the_rest_of_the_length() -> None:
    told = Told(lambda prompt, sample: ("b\n", "stop"))
    session = session_of(told, tree=path("one", "two"), max_tokens=10)
    asyncio.run(session.expand_each([(ROOT, 1), (0, 1), (1, 1)]))
    assert ["".join(map(chr, one["ids"])) for one in told.told] == ["?\n", "?\none\n", "?\none\ntwo\n"]
    # "one" and its line end are 4 of the 10 tokens of a solution; the problem is none of them.
    assert [one["tokens"] for one in told.told] == [10, 6, 2]


def test_a_path_as_long_as_a_solution_may_be_asks_for_nothing() -> None:
    told = Told(lambda prompt, sample: ("b\n", "stop"))
    session = session_of(told, tree=path("one", "two"), max_tokens=8)
    assert [len(steps) for steps in asyncio.run(session.expand_each([(1, 4), (0, 1)]))] == [0, 1]
    assert [one["n"] for one in told.told] == [1]
    assert not session.exhausted  # no budget refused it


def test_the_same_question_asked_again_has_another_seed_and_another_run_the_same_ones() -> None:
    def seeds(run_seed: int) -> list[int]:
        told = Told(lambda prompt, sample: ("a\n", "stop"))
        session = session_of(told, seed=run_seed)
        for _ in range(3):
            asyncio.run(session.expand(ROOT, 1))
        return [one["seed"] for one in told.told]

    assert len(set(seeds(0))) == 3
    assert seeds(0) == seeds(0)
    assert not set(seeds(0)) & set(seeds(1))


def test_a_seed_depends_on_the_node_and_not_on_what_was_asked_before() -> None:
    def seeds(order: list[int]) -> dict[int, int]:
        told = Told(lambda prompt, sample: ("a\n", "stop"))
        session = session_of(told, tree=path("one", "two"))
        for node in order:
            asyncio.run(session.expand(node, 1))
        return dict(zip(order, [one["seed"] for one in told.told], strict=True))

    assert seeds([0, 1, ROOT]) == seeds([ROOT, 1, 0])


@pytest.mark.parametrize("finish", ["eos", "length", "cancelled"])
def test_no_step_follows_a_solution_that_ended(finish: Finish) -> None:
    told, tree = Told(two_steps), path("one")
    tree.set_finish(0, finish)
    session = session_of(told, tree=tree)
    with pytest.raises(InputError, match=f"a step follows a solution that ended, got '{finish}'"):
        asyncio.run(session.expand_each([(ROOT, 1), (0, 1)]))
    assert told.told == []  # nothing was paid for, not even the other node's


@pytest.mark.parametrize("n", [0, -1])
def test_nothing_is_drawn_no_times(n: int) -> None:
    with pytest.raises(InputError, match=rf"p: nothing to draw, got {n}; expected at least one sample"):
        asyncio.run(session_of(Told(two_steps)).expand(ROOT, n))


def test_asking_of_no_node_is_no_request() -> None:
    told = Told(two_steps)
    assert asyncio.run(session_of(told).expand_each([])) == []
    assert told.told == []


def test_a_resumed_session_replays_without_asking_the_engines(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"

    def run() -> tuple[StepTree, int, dict[str, float]]:
        generator, scorer = ScriptedGenerator(two_steps), TableScorer(SCORES)
        session = session_of(generator, scorer, journal=Journal(journal))
        leaves = asyncio.run(session.complete(ROOT, 2))
        asyncio.run(session.score(leaves))
        return session.tree, len(generator.requests) + len(scorer.asked), session.ledger.as_dict()

    first_tree, first_calls, first_ledger = run()
    second_tree, second_calls, second_ledger = run()
    assert second_tree == first_tree
    assert (first_calls, second_calls) == (5, 0)
    assert second_ledger == {**first_ledger, "replayed": 2}


def test_a_run_that_was_killed_halfway_asks_only_for_what_is_missing(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"

    def run() -> tuple[StepTree, list[tuple[str, int]]]:
        generator = ScriptedGenerator(lambda prompt, sample: (f"{len(prompt)}{sample}\n", "stop"))
        session = session_of(generator, journal=Journal(journal))
        first, _ = asyncio.run(session.expand(ROOT, 2))
        asyncio.run(session.expand(first, 2))
        return session.tree, generator.requests

    whole, asked = run()
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(lines[0] + lines[1][:7])  # the second reply was being written
    again, missing = run()
    assert (again, missing) == (whole, asked[1:])
    assert run() == (whole, [])


def test_replies_go_to_who_asked_whatever_the_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.jsonl")

    def run(order: list[int]) -> tuple[dict[int, str], int]:
        generator = ScriptedGenerator(lambda prompt, sample: (f"after {len(prompt)}\n", "stop"))
        session = session_of(generator, tree=path("one", "two"), journal=journal)
        steps = asyncio.run(session.expand_each([(node, 1) for node in order]))
        texts = [session.tree.nodes[new].text for (new,) in steps]
        return dict(zip(order, texts, strict=True)), len(generator.requests)

    first, asked = run([ROOT, 0, 1])
    assert first == {ROOT: "after 2", 0: "after 6", 1: "after 10"}
    assert asked == 3
    assert run([1, ROOT, 0]) == (first, 0)


def test_another_number_of_samples_is_another_question(tmp_path: Path) -> None:
    journal, generator = Journal(tmp_path / "journal.jsonl"), ScriptedGenerator(two_steps)
    for n in (2, 3, 2):
        assert len(asyncio.run(session_of(generator, journal=journal).complete(ROOT, n))) == n
    assert [n for _, n in generator.requests] == [2, 3]


def test_a_second_reading_of_the_same_steps_has_a_reply_of_its_own(tmp_path: Path) -> None:
    class Moody(TableScorer):
        """Says something else each time."""

        async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
            self.asked.append("")
            return Scores(values=(len(self.asked) / 10,), cached_tokens=0, tokens=1, flops=0.0)

    journal, scorer = Journal(tmp_path / "journal.jsonl"), Moody({})

    def read_twice() -> list[float]:
        tree, ledger = path("one"), Ledger()
        engines = Engines(
            generator=ScriptedGenerator(two_steps),
            text=char_text(),
            sampling=Sampling(),
            scorer=scorer,
            journal=journal,
        )
        requests = Requests(engines, Growth(tree, engines.text.meta), ledger, Allowance(BudgetConfig(), ledger))
        return [asyncio.run(requests.read([0]))[0] for _ in range(2)]

    assert read_twice() == [0.1, 0.2]
    assert read_twice() == [0.1, 0.2]


def test_a_resumed_run_does_not_get_its_seconds_again(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"
    asyncio.run(session_of(ScriptedGenerator(two_steps), journal=Journal(file)).complete(ROOT, 1))
    (reply,) = map(orjson.loads, file.read_bytes().splitlines())
    reply["c"][-1] = 100.0  # it came after so many seconds
    file.write_bytes(orjson.dumps(reply) + b"\n")
    generator = ScriptedGenerator(two_steps)
    session = session_of(generator, journal=Journal(file), seconds=50.0)
    assert len(asyncio.run(session.complete(ROOT, 1))) == 1  # what was paid for is not lost
    with pytest.raises(Exhausted):
        asyncio.run(session.complete(ROOT, 1))
    assert generator.requests == []


def test_the_ledger_counts_what_the_engine_reports() -> None:
    session = session_of(ScriptedGenerator(two_steps))
    asyncio.run(session.complete(ROOT, 3))
    # "?\n" is 2 tokens; each sample "s0\n4\n" is 5.
    ledger = session.ledger
    counts = (ledger.generator_calls, ledger.generations, ledger.prefill_tokens, ledger.decode_tokens)
    assert counts == (1, 3, 2, 15)


def test_replies_count_as_they_come_and_not_when_a_journal_gives_them_again(tmp_path: Path) -> None:
    def counted() -> tuple[int, int, int]:
        session = session_of(ScriptedGenerator(two_steps), TableScorer(SCORES), journal=Journal(tmp_path / "journal"))
        leaves = asyncio.run(session.complete(ROOT, 2))
        asyncio.run(session.score(leaves))
        assert session.ledger.decode_tokens == 10
        engines = session._engines
        return engines.draws.drawn, engines.draws.read, engines.readings.read

    # "?\n" is 2 tokens, each sample "s0\n4\n" is 5; the PRM reads s0, s1 and both 4, a token each.
    assert counted() == (10, 2, 4)
    assert counted() == (0, 0, 0)


def test_a_request_that_failed_is_not_in_the_ledger() -> None:
    class Fails(ScriptedGenerator):
        async def generate(self, *args: Any, **kwargs: Any) -> Generation:
            raise RunError("engine lost")

    session = session_of(Fails(two_steps))
    with pytest.raises(RunError, match="engine lost"):
        asyncio.run(session.complete(ROOT, 3))
    assert (session.ledger.generator_calls, session.ledger.continuations) == (0, 0)


def test_the_last_generation_is_granted_and_one_more_is_not() -> None:
    session = session_of(ScriptedGenerator(two_steps), generations=3)
    assert len(asyncio.run(session.complete(ROOT, 3))) == 3
    assert not session.exhausted
    with pytest.raises(Exhausted):
        asyncio.run(session.complete(ROOT, 1))


def test_steps_that_are_not_granted_are_missed_and_that_is_told() -> None:
    told = Told(lambda prompt, sample: ("a\n", "stop"))
    session = session_of(told, tree=path("one"), generations=3)
    assert [len(steps) for steps in asyncio.run(session.expand_each([(0, 2), (0, 2)]))] == [2, 1]
    assert [one["n"] for one in told.told] == [2, 1]
    assert session.exhausted


@pytest.mark.parametrize(("tokens", "finish"), [(2, "eos"), (1, "cancelled")])
def test_a_solution_of_two_tokens_needs_two(tokens: int, finish: Finish) -> None:
    # "a", and the end of the solution.
    session = world_session(World({"": "a!"}), budget=BudgetConfig(generated_tokens=tokens))
    (leaf,) = asyncio.run(session.complete(ROOT, 1))
    assert session.tree.nodes[leaf].finish == finish
    assert session.ledger.decode_tokens == tokens


@pytest.mark.parametrize(("tokens", "finish"), [(8, "eos"), (7, "cancelled")])
def test_what_the_prm_will_read_is_kept_back(tokens: int, finish: Finish) -> None:
    # The policy reads "?\n" and draws 2 tokens; the PRM reads the same 4. Of 7, one is left for each to be longer.
    session = world_session(World({"": "a!"}), {"a": 0.5}, budget=BudgetConfig(total_tokens=tokens))
    (leaf,) = asyncio.run(session.complete(ROOT, 1))
    assert session.tree.nodes[leaf].finish == finish
    assert asyncio.run(session.score([leaf])) == [0.5]


def test_a_reading_that_just_fits_is_made_and_one_token_less_is_refused() -> None:
    def read(tokens: int) -> list[str]:
        # Two paths of "?\n", "a\n" and one more line: 2 + 2 + 2 tokens each, whatever the PRM has in its cache.
        tree = path("a")
        tree.add(0, "b")
        tree.add(0, "c")
        scorer = TableScorer({"a": 0.5, "b": 0.6, "c": 0.7})
        session = session_of(ScriptedGenerator(two_steps), scorer, tree=tree, total_tokens=tokens)
        with session.until_exhausted():
            asyncio.run(session.score([1, 2]))
        assert session.exhausted == (not scorer.asked)
        return scorer.asked

    assert read(12) == ["a", "b", "c"]
    assert read(11) == []


@pytest.mark.parametrize(
    ("reads", "context", "needed"),
    [
        ("both", 100, 2 + 4 * 2),  # the problem and its line end, four letters with theirs
        ("answer", 100, 2 + 2 * 2),
        ("thought", 100, 2 + 2 * 2),
        ("both", 3, 3 * (2 + 2 * 2)),  # the windows a b, b c, c d
    ],
)
def test_a_budget_has_room_for_what_the_prm_reads(reads: Reads, context: int, needed: int) -> None:
    def read(tokens: int) -> tuple[bool, int]:
        inner = NarrowScorer(context)
        scorer = ReadingScorer(inner, reads)
        session = session_of(ScriptedGenerator(two_steps), scorer, tree=path_of("(a) (b) c d"), total_tokens=tokens)
        with session.until_exhausted():
            asyncio.run(session.score([3]))
        return session.exhausted, len(inner.asked)

    assert read(needed)[0] is False
    assert read(needed - 1) == (True, 0)


def test_a_reading_of_an_earlier_version_is_replayed_and_one_in_windows_counts_again(tmp_path: Path) -> None:
    file = tmp_path / "journal.jsonl"

    def run() -> tuple[list[float], int]:
        scorer = ReadingScorer(NarrowScorer(3))
        session = session_of(ScriptedGenerator(two_steps), scorer, tree=path_of("a b c d"), journal=Journal(file))
        return asyncio.run(session.score([0, 1, 2, 3])), session.ledger.prm_windowed

    first = run()
    assert (first[1], run()) == (2, first)
    (reply,) = map(orjson.loads, file.read_bytes().splitlines())
    del reply["in"]  # which is what it was before there were windows
    file.write_bytes(orjson.dumps(reply) + b"\n")
    assert run() == (first[0], 0)


def test_what_a_failed_request_had_reserved_is_free_again() -> None:
    class FailsOnce(Told):
        async def generate(self, *args: Any, **kwargs: Any) -> Generation:
            generation = await super().generate(*args, **kwargs)
            if len(self.told) == 1:
                raise RunError("engine lost")
            return generation

    told = FailsOnce(lambda prompt, sample: ("a", "eos"))
    session = session_of(told, generated_tokens=7)
    with pytest.raises(RunError):
        asyncio.run(session.complete(ROOT, 1))
    asyncio.run(session.complete(ROOT, 1))
    assert [one["tokens"] for one in told.told] == [7, 7]


class Waits(ScriptedGenerator):
    """Writes a step at once, but after ``one`` never."""

    async def generate(self, prompt_ids: Sequence[int], n: int, **options: Any) -> Generation:
        if "".join(map(chr, prompt_ids)).endswith("one\n"):
            await asyncio.sleep(60)
        return await super().generate(prompt_ids, n, **options)


def test_the_clock_ends_what_runs_and_keeps_what_came(tmp_path: Path) -> None:
    session = session_of(
        Waits(lambda prompt, sample: ("b\n", "stop")),
        tree=path("one", "two"),
        journal=Journal(tmp_path / "journal.jsonl"),
        seconds=0.3,
    )
    waited, came = asyncio.run(session.expand_each([(0, 1), (1, 1)]))
    assert waited == []
    assert session.tree.steps(came[0]) == ["one", "two", "b"]
    assert session.exhausted
    assert session.ledger.generator_calls == 1
    assert len((tmp_path / "journal.jsonl").read_bytes().splitlines()) == 1


def test_where_the_clock_left_no_reply_the_budget_is_used_up() -> None:
    session = session_of(Waits(two_steps), tree=path("one"), seconds=0.05)
    with pytest.raises(Exhausted):
        asyncio.run(session.expand(0, 1))


def test_a_time_limit_of_an_engine_is_not_the_clock() -> None:
    class TimesOut(ScriptedGenerator):
        async def generate(self, *args: Any, **kwargs: Any) -> Generation:
            raise TimeoutError("the engine's own")

    with pytest.raises(TimeoutError, match="the engine's own"):
        asyncio.run(session_of(TimesOut(two_steps), seconds=60.0).complete(ROOT, 1))


def test_an_error_beside_a_request_that_the_clock_ended_is_raised() -> None:
    class Breaks(Waits):
        async def generate(self, prompt_ids: Sequence[int], n: int, **options: Any) -> Generation:
            if "".join(map(chr, prompt_ids)).endswith("two\n"):
                raise RunError("engine lost")
            return await super().generate(prompt_ids, n, **options)

    session = session_of(Breaks(two_steps), tree=path("one", "two"), seconds=0.3)
    with pytest.raises(RunError, match="engine lost"):
        asyncio.run(session.expand_each([(0, 1), (1, 1)]))


class Narrow(TableScorer):
    """Reads paths of up to so many steps, and refuses a request with a longer one."""

    def __init__(self, scores: dict[str, float], longest: int) -> None:
        super().__init__(scores)
        self.longest = longest

    def fits(self, tree: StepTree, node: int) -> bool:
        return len(tree.path(node)) <= self.longest

    async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
        if not all(self.fits(tree, node) for node in nodes):
            raise InputError("longer than the PRM's context")
        return await super().score(tree, nodes)


def test_steps_beyond_the_prm_score_nothing_and_the_others_keep_their_scores(tmp_path: Path) -> None:
    journal = tmp_path / "journal.jsonl"
    for times in (1, 0):  # asked, and replayed
        tree = path("one", "two")
        tree.set_finish(1, "eos")
        scorer = Narrow({"one": 0.5, "two": 0.9}, longest=1)
        session = session_of(ScriptedGenerator(two_steps), scorer, tree=tree, journal=Journal(journal))
        assert asyncio.run(session.score([0, 1])) == [0.5, 0.0]
        assert not tree.finished(1)
        assert tree.nodes[1].finish == "length"
        assert scorer.asked == ["one"] * times
        assert (session.ledger.prm_calls, session.ledger.prm_tokens) == (1, 1)


def test_where_no_step_fits_the_prm_reads_nothing() -> None:
    scorer = Narrow({"one": 0.5}, longest=0)
    session = session_of(ScriptedGenerator(two_steps), scorer, tree=path("one"))
    assert asyncio.run(session.score([0])) == [0.0]
    assert (scorer.asked, session.ledger.prm_tokens) == ([], 0)


def test_an_error_that_is_not_about_length_is_raised() -> None:
    class Refuses(TableScorer):
        async def score(self, tree: StepTree, nodes: Sequence[int]) -> Scores:
            self.asked.append("")
            raise InputError("the server refuses the key")

    scorer = Refuses({})
    session = session_of(ScriptedGenerator(two_steps), scorer, tree=path("one"))
    with pytest.raises(InputError, match="refuses the key"):
        asyncio.run(session.score([0]))
    assert len(scorer.asked) == 1


# The prompt of the problem "?" is "?" and a line end.
@pytest.mark.parametrize(("context", "asked"), [(4, 2), (3, 1)])
def test_no_more_is_asked_for_than_the_context_has_room_for(context: int, asked: int) -> None:
    policy = NarrowPolicy(context)
    session = session_of(policy)
    (leaf,) = asyncio.run(session.complete(ROOT, 1))
    assert policy.requests == [("?\n", asked)]
    assert session.tree.nodes[leaf].finish == "length"


@pytest.mark.parametrize("context", [2, 1])
@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("node", [ROOT, 1])
def test_a_problem_that_fills_the_context_is_refused_and_counted(context: int, told: bool, node: int) -> None:
    policy = NarrowPolicy(context, told=told)
    session = session_of(policy, tree=path("a", "b"))
    for ask in (session.expand(node, 2), session.complete(node, 2), session.outcomes(node, 2)):
        with pytest.raises(TooLong, match=rf"p: the problem fills the policy's context.*fewer than {context}"):
            asyncio.run(ask)
    assert session.ledger.too_long == 1
    assert told is not any(policy.requests)


# "?", "ab" and "ab", each with its line end, are eight tokens.
@pytest.mark.parametrize("context", [8, 7])
@pytest.mark.parametrize(("told", "says"), [(True, True), (False, True), (False, False)])
def test_a_path_that_fills_the_context_gives_unfinished_solutions(context: int, told: bool, says: bool) -> None:
    policy = NarrowPolicy(context, told=told, says=says)
    session = session_of(policy, tree=path("ab", "ab"))
    assert asyncio.run(session.expand_each([(1, 2), (0, 1)])) == [[], [2]]
    assert asyncio.run(session.complete(1, 2)) == [1, 1]
    assert asyncio.run(session.outcomes(1, 2)) == [False, False]
    # Who does not tell is asked once.
    assert [request for request in policy.requests if request[0] == "refused"] == [("refused", 8)] * (not told)
    assert session.ledger.too_long == 0


@pytest.mark.parametrize(
    ("context", "finishes"), [(9, ["stop", "stop"]), (8, ["stop", "length"]), (7, ["stop", "length"])]
)
def test_a_step_that_ends_with_the_last_token_of_the_context_was_cut(context: int, finishes: list[Finish]) -> None:
    session = session_of(NarrowPolicy(context))
    (first,) = asyncio.run(session.expand(ROOT, 1))
    asyncio.run(session.expand(first, 1))
    assert [node.finish for node in session.tree] == finishes


def test_a_node_found_full_is_cut_and_one_with_steps_behind_it_stays_as_it_is() -> None:
    session = session_of(NarrowPolicy(5, told=False))
    (first,) = asyncio.run(session.expand(ROOT, 1))
    assert session.tree.nodes[first].finish == "stop"
    assert asyncio.run(session.expand(first, 1)) == []
    assert session.tree.nodes[first].finish == "length"
    given = session_of(NarrowPolicy(5), tree=path("ab", "ab"))
    assert asyncio.run(given.complete(0, 1)) == [0]
    assert [node.finish for node in given.tree] == [None, None]


def test_a_resumed_run_does_not_ask_again_what_was_refused(tmp_path: Path) -> None:
    def run() -> tuple[list[tuple[str, int]], list[Finish | None], dict[str, float]]:
        policy = NarrowPolicy(5, told=False)
        session = session_of(policy, journal=Journal(tmp_path / "journal.jsonl"))
        (first,) = asyncio.run(session.expand(ROOT, 1))
        asyncio.run(session.expand(first, 1))
        return policy.requests, [node.finish for node in session.tree], session.ledger.as_dict()

    asked, finishes, ledger = run()
    assert asked == [("?\n", 3), ("refused", 5)]
    again, same, counts = run()
    assert again == []
    assert same == finishes == ["length"]
    assert counts == ledger | {"replayed": 2}


def test_the_context_ends_a_solution_that_the_budget_would_have_cut_later() -> None:
    session = session_of(NarrowPolicy(5), generated_tokens=4)
    (leaf,) = asyncio.run(session.complete(ROOT, 1))
    assert session.tree.nodes[leaf].finish == "length"
