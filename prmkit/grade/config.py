"""How solutions are judged. No torch and no sympy, so that recipes and commands bind in milliseconds."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from prmkit.sandbox.policy import Policy

Relation = Literal["math-verify", "prm800k", "qwen"]
"""Who says which math answers are equal: math-verify, or the grader of PRM800K or of Qwen2.5-Math."""

Vote = Literal["behaviour", "text"]
"""Programs agree if they do the same on the public inputs, or (a baseline) if their normalised text is the same."""


class GradingConfig(BaseModel):
    """All that a verdict depends on besides the problem and the solution. Equal configs share one judge."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    grader: Relation = Field("math-verify", description="whose equality of math answers")
    vote: Vote = Field("behaviour", description="programs agree by what they do on public inputs, or by their text")
    unsafe_local: bool = Field(False, description="run programs even where this machine offers no isolation for them")

    @property
    def judged_by(self) -> str:
        """What verdicts depend on, in words; runs that differ in it are not to be compared."""
        return f"grader {self.grader}, vote {self.vote}"

    @property
    def policy(self) -> Policy:
        """On what terms programs are run."""
        return Policy(unsafe_local=self.unsafe_local)


DEFAULT = GradingConfig()
"""math-verify, a vote by behaviour, no program without isolation."""
