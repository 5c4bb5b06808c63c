import asyncio
import threading
import time
from dataclasses import replace
from typing import Any

import pytest

from prmkit.errors import RunError
from prmkit.generate import Sampling
from prmkit.generate.meter import Meter
from prmkit.grade import Grader
from prmkit.grade.config import GradingConfig
from prmkit.score.reading import ReadingScorer
from prmkit.session import Engines
from prmkit.tree import Domain
from tests.fakes import LastStepGrader, ScriptedGenerator, TableScorer, char_text


def engines(
    grader: Grader | None = None, asked: list[tuple[Domain, GradingConfig]] | None = None, **options: Any
) -> Engines:
    def grader_for(domain: Domain, grading: GradingConfig) -> Grader:
        if asked is not None:
            asked.append((domain, grading))
        return grader or LastStepGrader()

    return Engines(
        generator=ScriptedGenerator(lambda prompt, sample: ("4", "eos")),
        text=char_text(),
        sampling=Sampling(),
        grader_for=grader_for,
        **options,
    )


def test_the_event_loop_goes_on_while_an_answer_is_graded() -> None:
    graded = threading.Event()

    async def main() -> bool:
        judging = asyncio.create_task(engines().grade("math", lambda grader: graded.wait(2)))
        await asyncio.sleep(0)
        graded.set()  # only a loop that is not blocked comes here before the judge is done
        return await judging

    assert asyncio.run(main())


def test_the_grader_is_that_of_domain_and_config_and_what_it_finds_comes_back() -> None:
    asked: list[tuple[Domain, GradingConfig]] = []
    lenient = GradingConfig(grader="qwen")
    grader, both = LastStepGrader(), engines(asked=asked, grading=lenient)

    async def main() -> list[str]:
        own = engines(grader)
        assert await own.grade("math", lambda judge: judge is grader)
        return [await both.grade(domain, lambda judge: f"of {asked[-1][0]}") for domain in ("code", "math")]

    assert asyncio.run(main()) == ["of code", "of math"]
    assert asked == [("code", lenient), ("math", lenient)]


def test_gradings_never_overlap_for_a_grader_keeps_caches_and_processes() -> None:
    inside: list[int] = []
    most: list[int] = []

    def judge(grader: Grader) -> str:
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.002)
        inside.pop()
        return threading.current_thread().name

    async def main() -> set[str]:
        one = engines()
        return set(await asyncio.gather(*(one.grade("math", judge) for _ in range(8))))

    assert len(asyncio.run(main())) == 1
    assert most == [1] * 8


def test_the_error_of_a_grader_is_raised_as_it_is_and_the_next_one_is_graded() -> None:
    def fail(grader: Grader) -> None:
        raise RunError("the sandbox is gone")

    async def main() -> int:
        one = engines()
        with pytest.raises(RunError, match="the sandbox is gone"):
            await one.grade("code", fail)
        return await one.grade("code", lambda grader: 3)

    assert asyncio.run(main()) == 3


def test_runs_share_neither_journal_nor_grading_thread() -> None:
    one, other = engines(), engines()
    assert one.journal is not other.journal
    assert one.grading_thread is not other.grading_thread
    assert one.journal.path is None  # nothing is kept where no file was named


def test_the_meter_of_an_engine_is_its_own_or_else_counts_replies() -> None:
    plain = engines(scorer=TableScorer({}))
    assert plain.policy_meter is plain.draws
    assert plain.prm_meter is plain.readings
    assert not plain.draws.live
    counting = engines(scorer=TableScorer({}))
    counting.generator.meter, counting.scorer.meter = Meter(), Meter()  # type: ignore[attr-defined, union-attr]
    assert counting.policy_meter is counting.generator.meter  # type: ignore[attr-defined]
    assert counting.prm_meter is counting.scorer.meter  # type: ignore[union-attr]
    assert replace(plain, seed=3).draws is plain.draws  # of one engine, whichever run asks it


def test_the_steps_that_are_read_are_those_of_the_scorer() -> None:
    scorers = [None, TableScorer({}), ReadingScorer(TableScorer({})), ReadingScorer(TableScorer({}), "answer")]
    assert [engines(scorer=scorer).reads for scorer in scorers] == ["both", "both", "both", "answer"]
