"""Step labels by a language model that reads the solution and names its first wrong step."""

import asyncio
import re
from collections.abc import Sequence
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field

from prmkit.annotate.side_trees import ask
from prmkit.errors import InputError
from prmkit.generate import TooLong
from prmkit.session import Session
from prmkit.tree import Label

SOURCE = "judge"
NO_ERROR = -1

_VERDICT = re.compile(r"^\W*first wrong step:\W*(none|[0-9]{1,6})\W*$", re.IGNORECASE | re.MULTILINE)
_PLACEHOLDERS = ("{problem}", "{steps}")


class JudgeConfig(BaseModel):
    """A judge: its prompt, and how often it is asked."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    template: str | None = Field(
        None,
        description="file of the prompt, with {problem} and {steps} in it; default: judge_math.txt, judge_code.txt",
    )
    attempts: int = Field(3, ge=1, description="how often it is asked again where a reply has no clear verdict")
    votes: int = Field(1, ge=1, description="critiques of each solution; the most frequent verdict counts")


async def judge(session: Session, config: JudgeConfig) -> None:
    """Label each solution's steps as right up to the first wrong one that the judge names; later ones stay unlabelled.

    A solution on which no reply gives a clear verdict stays unlabelled, and so does one that the judge's context has no
    room for. A step that several solutions share is right if
    at least half of those whose verdicts reach it say so.

    Source: Zheng et al. 2024, arXiv 2412.06559, critic models; Zhang et al. 2025, arXiv 2501.07301, section 3.

    Raises:
        InputError: the template cannot be read, or lacks a placeholder.
    """
    template = read_template(config.template, session.tree.problem.domain)
    leaves = session.tree.leaves()
    verdicts = await asyncio.gather(*(_verdict(session, leaf, template, config) for leaf in leaves))
    said: dict[int, list[bool]] = {}
    for leaf, first in zip(leaves, verdicts, strict=True):
        if first is None:
            continue
        path = session.tree.path(leaf)
        for place, node in enumerate(path if first == NO_ERROR else path[: first + 1]):
            said.setdefault(node, []).append(place != first)
    for node, votes in said.items():
        session.tree.set_label(node, Label(value=float(2 * sum(votes) >= len(votes)), source=SOURCE))


def read_template(path: str | None, domain: str) -> str:
    """The prompt of a judge.

    Raises:
        InputError: the file cannot be read, or lacks a placeholder.
    """
    file = Path(path) if path is not None else Path(__file__).with_name(f"judge_{domain}.txt")
    try:
        template = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the judge's template ({error})", where=file) from None
    missing = [placeholder for placeholder in _PLACEHOLDERS if placeholder not in template]
    if missing:
        raise InputError("the judge's template lacks a placeholder", where=file, expected=" and ".join(missing))
    return template


def prompt_of(template: str, problem: str, steps: Sequence[str]) -> str:
    """The template with a problem and its numbered steps in it; braces in either mean nothing."""
    numbered = "\n".join(f"[Step {number}]\n{text}" for number, text in enumerate(steps, start=1))
    before, _, after = template.partition("{steps}")
    return before.replace("{problem}", problem) + numbered + after.replace("{problem}", problem)


def verdict_of(reply: str, steps: int) -> int | None:
    """The 0-based first wrong step that a reply names, -1 for none; None without one clear verdict.

    Strict: one line must hold it, two lines must agree, and it must name one of the steps.
    """
    found = {match.lower() for match in _VERDICT.findall(reply)}
    if len(found) != 1:
        return None
    word = found.pop()
    if word == "none":
        return NO_ERROR
    return int(word) - 1 if 1 <= int(word) <= steps else None


async def _verdict(session: Session, leaf: int, template: str, config: JudgeConfig) -> int | None:
    """The most frequent clear verdict on a solution; of equally frequent ones, the earliest error."""
    steps = session.tree.steps(leaf)
    question = prompt_of(template, session.tree.problem.prompt, steps)
    verdicts: list[int] = []
    for attempt in range(config.attempts):
        missing = config.votes - len(verdicts)
        if not missing:
            break
        try:
            replies = await ask(session, question, missing, attempt=attempt)
        except TooLong:  # counted in the ledger
            break
        verdicts += [verdict for reply in replies if (verdict := verdict_of(reply, len(steps))) is not None]
    if not verdicts:
        return None
    return max(set(verdicts), key=lambda first: (verdicts.count(first), -(len(steps) if first == NO_ERROR else first)))
