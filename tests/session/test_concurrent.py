import asyncio
import gc

import pytest

from prmkit.errors import RunError
from prmkit.session import Session
from prmkit.session.concurrent import run_sessions
from prmkit.tree import ROOT
from tests.fakes import ScriptedGenerator, make_session


def test_all_sessions_run() -> None:
    sessions = [make_session(ScriptedGenerator(lambda prompt, sample: ("4", "eos"))) for _ in range(3)]

    async def strategy(session: Session) -> None:
        await session.complete(ROOT, 1)

    asyncio.run(run_sessions(sessions, strategy))
    assert all(len(session.tree) == 1 for session in sessions)


def test_the_first_error_is_raised_as_itself() -> None:
    async def strategy(session: Session) -> None:
        raise RunError("engine lost")

    session = make_session(ScriptedGenerator(lambda prompt, sample: ("4", "eos")))
    with pytest.raises(RunError, match="engine lost"):
        asyncio.run(run_sessions([session], strategy))


def test_the_collector_passes_over_what_was_there_before() -> None:
    seen: list[int] = []

    async def strategy(session: Session) -> None:
        seen.append(gc.get_freeze_count())
        raise RunError("engine lost")

    session = make_session(ScriptedGenerator(lambda prompt, sample: ("4", "eos")))
    with pytest.raises(RunError, match="engine lost"):
        asyncio.run(run_sessions([session], strategy))
    assert seen[0] > 0
    assert gc.get_freeze_count() == 0
