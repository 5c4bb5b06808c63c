"""How a policy is asked and how its text falls into steps. No torch, so that recipes bind in milliseconds."""

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from prmkit.packing.format import PromptFormat
from prmkit.segment.config import SegmenterConfig

Family = Literal["auto", "none", "think", "magistral", "gpt-oss"]


class ThoughtFormat(BaseModel):
    """What a reasoning model thinks before it answers, and how much of it.

    Source of the budgets: s1, arXiv 2501.19393, section 3.1 (budget forcing).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    family: Family = Field("auto", description="what opens and closes a thought; auto: by the tokenizer and template")
    open: str | None = Field(None, min_length=1, description="in place of the family's opening")
    close: str | None = Field(None, min_length=1, description="in place of the family's closing")
    steps: SegmenterConfig = Field(SegmenterConfig(name="thoughts"), description="where a step of a thought ends")
    max_tokens: int | None = Field(None, ge=1, description="a longer thought is closed, and the policy answers")
    min_tokens: int = Field(0, ge=0, description="a thought that closes earlier goes on, behind the text of extend")
    extend: str = Field("Wait", min_length=1, description="what is written in place of a closing that came too early")

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if (self.open is None) != (self.close is None):
            raise ValueError("open and close go together")
        if self.max_tokens is not None and self.min_tokens > self.max_tokens:
            raise ValueError("min_tokens is larger than max_tokens")
        if self.family == "none" and (self.open or self.max_tokens or self.min_tokens):
            raise ValueError("family none has no thoughts, so it takes no tags and no budget")
        return self


class PolicyFormat(PromptFormat):
    """The text around the problem, where a step ends, and what is a thought."""

    step_end: str | None = Field(
        None, min_length=1, description="the string that parts steps; default: a blank line in chat, else a line end"
    )
    steps: SegmenterConfig = Field(SegmenterConfig(), description="where a step ends")
    thoughts: ThoughtFormat = Field(ThoughtFormat(), description="what the policy thinks before it answers")
