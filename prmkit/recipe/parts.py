"""What the recipes of several stages hold: a corpus, a problem set, and the engines that work on them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, PositiveInt

from prmkit.benchmarks import load
from prmkit.errors import InputError
from prmkit.generate import GeneratorConfig, load_generator
from prmkit.grade.config import GradingConfig, Relation, Vote
from prmkit.session import Engines
from prmkit.sources.corpus import Corpus
from prmkit.tree import Problem


class DataConfig(BaseModel):
    """A corpus: which one, where its file lies, and what is taken of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(description="a source by name, or my_package.module:source")
    path: str = Field(min_length=1, description="a local file or folder, or hub:org/name[:split]")
    options: dict[str, Any] = Field({}, description="what the source takes besides")
    limit: PositiveInt | None = Field(None, description="read only the first so many trees")
    max_bad: float = Field(0.01, ge=0, le=1, description="share of bad rows above which the corpus is refused")
    stop_at_first_error: bool = Field(False, description="leave out the steps that follow a wrong one")
    min_steps: int = Field(0, ge=0, description="leave out trees whose longest solution has fewer steps")

    def corpus(self) -> Corpus:
        """The corpus, to be read."""
        return Corpus(self.source, **self.model_dump(exclude={"source"}))


class ProblemsConfig(BaseModel):
    """A problem set, or a part of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    benchmark: str = Field(description="a benchmark by name, or my_package.module:loader")
    path: str | None = Field(None, description="a local file; without, the hub (or generated)")
    limit: PositiveInt | None = Field(None, description="the first so many problems")
    seed: int = Field(0, ge=0, description="of generated benchmarks")
    options: dict[str, Any] = Field({}, description="what the benchmark takes besides")

    @property
    def is_generated(self) -> bool:
        """Whether the problems are made here, without a file."""
        return self.benchmark.startswith("synthetic-")

    def load(self) -> list[Problem]:
        """The problems. Raises InputError as the benchmark does."""
        path = Path(self.path) if self.path is not None else None
        return load(self.benchmark, path=path, limit=self.limit, seed=self.seed, **self.options)


class GradingChoice(BaseModel):
    """How an evaluation judges, where it does not judge as the search did."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    grader: Relation | None = Field(None, description="whose equality of math answers; default: the search's")
    vote: Vote | None = Field(None, description="programs agree by behaviour, or by their text; default: the search's")
    unsafe_local: bool | None = Field(None, description="run programs even where nothing isolates them")

    def over(self, grading: GradingConfig) -> GradingConfig:
        """The grading with what is said here in the place of what it says."""
        said = {name: value for name, value in self if value is not None}
        return grading.model_copy(update=said)


_PLACEHOLDER = "{problem}"
"""Stands in a prompt where showing the problem would take a download."""


def first_prompt(policy: GeneratorConfig, problems: Sequence[ProblemsConfig] = ()) -> str:
    """The first prompt of a policy as it reads it, special tokens spelled out; of a chat its turns. Nothing is fetched.

    Args:
        policy: who is asked.
        problems: what is asked; of the first set the first problem, if its file is on this machine.

    Raises:
        InputError: the tokenizer is not on this machine, or its template refuses.
    """
    from prmkit.generate.chat.text import asking
    from prmkit.generate.text import PolicyText
    from prmkit.models.names import is_here
    from prmkit.models.tokenizer import load_tokenizer

    local = policy.has_tokenizer
    if local and not is_here(policy.name):
        raise InputError("the tokenizer is not on this machine", where=policy.name)
    first = next((each for each in problems if each.path is not None or each.is_generated), None)
    problem = Problem(id="", prompt=_PLACEHOLDER)
    if first is not None:
        problem = first.model_copy(update={"limit": 1}).load()[0]
    if not local:
        return asking(policy.format, problem).text
    return PolicyText(load_tokenizer(policy.name), policy.format).begin(problem).text


def engines_of(policy: GeneratorConfig, seed: int, **others: Any) -> Engines:
    """A policy that is loaded, and what else a session needs."""
    generator, text = load_generator(policy)
    return Engines(generator=generator, text=text, sampling=policy.sampling, seed=seed, **others)
