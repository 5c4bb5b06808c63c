from typing import Any

import pytest

from prmkit.generate import Sampling, meter
from prmkit.generate.meter import Meter
from prmkit.session import Engines
from prmkit.session.speed import Speed
from tests.clock import Clock
from tests.fakes import ScriptedGenerator, TableScorer, char_text


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(meter, "time", clock)
    return clock


def engines(*, metered: bool = True, scorer: bool = True) -> Any:
    generator: Any = ScriptedGenerator(lambda prompt, sample: ("4", "eos"))
    judge: Any = TableScorer({}) if scorer else None
    if metered:
        generator.meter = Meter()
        if scorer:
            judge.meter = Meter()
    return Engines(generator=generator, text=char_text(), sampling=Sampling(), scorer=judge)


def test_a_search_from_its_first_prompt_to_its_last_token(clock: Clock) -> None:
    run = engines()
    policy, prm = run.generator.meter, run.scorer.meter
    speed = Speed(run)

    def after(seconds: float, *, drawn: int = 0, read: int = 0, judged: int = 0) -> list[str]:
        clock.now += seconds
        policy.add(drawn=drawn, read=read)
        prm.add(read=judged)
        return list(speed.figures().values())

    assert after(0.0) == ["reading prompts", "waiting"]
    assert after(1.0) == ["reading prompts", "waiting"]
    assert after(1.0, read=900) == ["reading prompts", "waiting"]
    assert after(6.0) == ["drawing", "waiting"]
    assert after(1.0, drawn=70) == ["10 tok/s", "waiting"]  # 70 tokens since the last look that is 5 seconds ago
    assert after(5.0, read=40) == ["reading prompts", "waiting"]  # of steps that were expanded
    assert after(5.0, judged=12_345) == ["0 tok/s", "2,469 tok/s"]
    assert after(5.0, drawn=1, judged=3) == ["0.2 tok/s", "0.6 tok/s"]
    assert after(5.0) == ["0 tok/s", "0 tok/s"]


def test_what_was_drawn_before_is_of_another_run(clock: Clock) -> None:
    run = engines()
    run.generator.meter.add(drawn=500, read=500)
    run.scorer.meter.add(read=500)
    speed = Speed(run)
    clock.now += 1.0
    assert speed.figures() == {"policy": "reading prompts", "PRM": "waiting"}


def test_where_tokens_count_as_requests_end_a_minute_is_looked_back(clock: Clock) -> None:
    run = engines(metered=False)
    speed = Speed(run)
    clock.now += 10.0
    assert speed.figures() == {"policy": "no reply yet", "PRM": "waiting"}
    run.draws.add(drawn=400, read=9)
    run.readings.add(read=200)
    clock.now += 10.0
    assert speed.figures() == {"policy": "20 tok/s", "PRM": "10 tok/s"}
    clock.now += 30.0
    assert speed.figures() == {"policy": "8.0 tok/s", "PRM": "4.0 tok/s"}
    clock.now += 60.0
    assert speed.figures() == {"policy": "0 tok/s", "PRM": "0 tok/s"}


def test_what_the_journal_answers_is_said_and_is_no_speed(clock: Clock) -> None:
    run = engines()
    speed = Speed(run)
    clock.now += 1.0
    assert speed.figures(replayed=7)["policy"] == "replaying"
    assert speed.figures(replayed=9)["policy"] == "replaying"
    assert speed.figures(replayed=9)["policy"] == "reading prompts"  # what it had is given
    run.generator.meter.add(drawn=30)
    clock.now += 1.0
    assert speed.figures(replayed=10)["policy"] == "15 tok/s"


def test_the_tokens_that_a_judge_writes_are_of_its_speed(clock: Clock) -> None:
    run = engines()
    speed = Speed(run)
    run.scorer.meter.add(drawn=300, read=700)
    clock.now += 2.0
    assert speed.figures()["PRM"] == "500 tok/s"


def test_a_run_without_a_prm_shows_none(clock: Clock) -> None:
    assert Speed(engines(scorer=False)).figures().keys() == {"policy"}
